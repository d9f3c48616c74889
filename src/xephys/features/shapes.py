"""Learn shapes and temporal components of spikes on single channels from a recording."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .. import schema
from ..calls import operation
from ..checks import check_positive
from ..detect.peaks import detect_peaks
from ..errors import ParameterError, RecordingError, SilentRecordingError
from ..graph.events import SpikeTable, compute
from ..graph.excerpts import tile_plans
from ..recording.geometry import separated_positions
from .waveforms import extract_snippets

#: A clip is taken if no other peak is within this distance and closer in time than the length of a shape.
ISOLATION_UM = 100.0
#: Distance and lag within which peaks compete for a clip.
PEAK_RADIUS_UM = 60.0
PEAK_SWEEP_SAMPLES = 5


@operation
def learn_shapes(
    recording: xr.DataArray,
    *,
    n_shapes: int = 6,
    n_components: int = 6,
    n_samples: int = 61,
    nbefore: int = 20,
    detect_threshold: float = 6.0,
    n_tiles: int | None = 20,
    n_clips_max: int = 20_000,
    seed: int = 0,
) -> xr.Dataset:
    """Learn what spikes look like on one channel: typical shapes and temporal components. Computes.

    Peaks of either sign are detected in seeded tiles. Those that are isolated in space and time are cut out on their
    own channel and scaled to unit norm. The shapes are the centers of a k-means, the components the leading singular
    vectors.

    Parameters
    ----------
    recording
        Whitened traces with dims ``(time, channel)`` and positions.
    n_shapes, n_components
        Number of each; fewer if there are fewer clips.
    n_samples, nbefore
        Length of a clip, and the number of its samples before the peak.
    detect_threshold
        Minimum absolute value of a peak, in units of the traces.
    n_tiles
        How many seconds of the recording are read, evenly spread; all of it if None.
    n_clips_max
        Maximum number of clips used, evenly spread.
    seed
        Seed for choosing the tiles and for starting the k-means.

    Returns
    -------
    Dataset with ``shape (shape, sample)`` of unit norm and ``component (component, sample)``, orthonormal, both
    float32; attributes ``nbefore`` and ``n_clips``.

    Raises
    ------
    ParameterError
        If a number is outside its limits.
    SilentRecordingError
        If no peak is isolated.

    Notes
    -----
    As in Kilosort4 (Pachitariu, Sridhar, Pennington & Stringer 2024, Nature Methods 21:914), except that neighborhoods
    are defined by distance instead of channel number.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> filtered = xephys.bandpass_filter(recording)
    >>> white = xephys.whiten(filtered, whitening=xephys.estimate_whitening(filtered, n_nearest=4))
    >>> learn_shapes(white, n_shapes=3, n_components=3).sizes["shape"]
    3
    """
    from ..kernels.features import shapes as kernel
    from ..kernels.features.components import learn_components

    check_positive(n_shapes=n_shapes, n_components=n_components, n_samples=n_samples, n_clips_max=n_clips_max)
    rate = schema.validate_recording(recording).sampling_frequency
    if not 0 <= nbefore < n_samples:
        raise ParameterError(f"nbefore is {nbefore}; it must lie inside the {n_samples} samples of a shape")
    places = separated_positions(recording, why="learning shapes")
    peaks = detect_peaks(
        recording,
        noise_levels=xr.DataArray(np.ones(recording.sizes["channel"], np.float32), dims="channel"),
        detect_threshold=detect_threshold,
        peak_sign="both",
        exclude_sweep_ms=PEAK_SWEEP_SAMPLES / rate * 1e3,
        radius_um=PEAK_RADIUS_UM,
    )
    ms = 1e3 / rate
    table = extract_snippets(recording, peaks, ms_before=nbefore * ms, ms_after=(n_samples - nbefore) * ms)
    if table.plan is None:
        raise RecordingError("the traces have no plan; give a recording, not a part of one changed by hand")
    near = np.linalg.norm(places[:, None] - places[None], axis=2) <= ISOLATION_UM
    plans = [table.plan] if n_tiles is None else tile_plans(table.plan, n_tiles=n_tiles, seed=seed)
    clips: list[NDArray[np.float32]] = []
    for found in compute(*[SpikeTable.of_plan(plan).data for plan in plans]):
        alone = kernel.isolated_peaks(
            found["sample_index"], found["channel_index"], near=near, exclude_sweep_samples=n_samples // 2
        )
        clips.append(found["waveform"][alone])
    everything = np.concatenate(clips)
    everything = everything[np.any(everything != 0, axis=1)]
    if not len(everything):
        read_s = sum(plan.n_samples for plan in plans) / rate
        raise SilentRecordingError(
            f"no peak above {detect_threshold:g} stands alone in {read_s:g} s of the recording, so there is nothing to "
            "learn shapes from; lower detect_threshold or read more tiles"
        )
    chosen = np.unique(np.linspace(0, len(everything) - 1, min(len(everything), n_clips_max)).astype(np.int64))
    used = everything[chosen]
    components = learn_components(used, n_components=min(n_components, len(used), n_samples))
    shapes = kernel.learn_shapes(used, n_shapes=n_shapes, seed=seed)
    return _shapes(shapes, components, nbefore=nbefore, n_clips=len(used))


def standard_shapes(
    *,
    sampling_frequency: float,
    n_shapes: int = 6,
    n_components: int = 6,
    n_samples: int = 61,
    nbefore: int = 20,
) -> xr.Dataset:
    """Shapes and components of a synthetic family of spikes, for recordings too short or too quiet to learn from.

    Parameters
    ----------
    sampling_frequency
        In hertz.
    n_shapes, n_components, n_samples, nbefore
        As for :func:`learn_shapes`.

    Returns
    -------
    As from :func:`learn_shapes`, with ``n_clips`` 0.

    Examples
    --------
    >>> standard_shapes(sampling_frequency=30_000.0).sizes["component"]
    6
    """
    from ..kernels.features import shapes as kernel
    from ..kernels.features.components import learn_components

    clips = kernel.standard_clips(n_samples, nbefore=nbefore, samples_per_ms=sampling_frequency * 1e-3)
    components = learn_components(clips.astype(np.float32), n_components=n_components)
    return _shapes(kernel.learn_shapes(clips, n_shapes=n_shapes), components, nbefore=nbefore, n_clips=0)


def _shapes(shapes: NDArray[np.float32], components: NDArray[np.float32], *, nbefore: int, n_clips: int) -> xr.Dataset:
    return xr.Dataset(
        {"shape": (("shape", "sample"), shapes), "component": (("component", "sample"), components)},
        attrs={"nbefore": nbefore, "n_clips": n_clips},
    )
