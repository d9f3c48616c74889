"""Features of peaks, in the same pass as their detection: snippets and projections on temporal components."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from . import schema
from .errors import ParameterError, RecordingError, SilentRecordingError
from .extending import as_lazy, check_positive, same_traces
from .graph.build import extend_plan
from .graph.events import SpikeTable, compute, given_events_stage
from .graph.plan import Stage
from .graph.sample import tile_plans
from .neighbours import nearest_channels
from .preprocess.noise import Sample, sample_traces

#: Median absolute value of the standard normal distribution.
MAD_OF_NORMAL = 0.6744897501960817


def event_table(recording: xr.DataArray, peaks: SpikeTable | NDArray[Any]) -> SpikeTable:
    """Peaks as a lazy table over ``recording``, ready for a feature stage.

    A table detected on this very recording is continued in the same pass; computed records are handed to the tiles
    they fall into.

    Raises
    ------
    RecordingError
        If a lazy table belongs to another recording.
    """
    if isinstance(peaks, SpikeTable):
        if not same_traces(recording, peaks.plan):
            raise RecordingError(
                "these peaks are lazy and were detected on another recording (or on other transforms of it); "
                "compute them first: peaks.compute()"
            )
        return peaks
    rate = schema.validate_recording(recording).sampling_frequency
    stage = given_events_stage(np.asarray(peaks))
    return SpikeTable.of_plan(extend_plan(as_lazy(recording), stage, sampling_frequency=rate))


def window_samples(ms_before: float, ms_after: float, sampling_frequency: float) -> tuple[int, int]:
    """Samples before the peak, and from the peak on, of a window given in milliseconds."""
    check_positive(ms_after=ms_after)
    if ms_before < 0:
        raise ParameterError(f"ms_before is {ms_before:g}; it must be at least 0")
    nbefore = round(ms_before * 1e-3 * sampling_frequency)
    return nbefore, max(1, round(ms_after * 1e-3 * sampling_frequency))


def extract_snippets(
    recording: xr.DataArray,
    peaks: SpikeTable | NDArray[Any],
    *,
    ms_before: float = 1.0,
    ms_after: float = 2.0,
) -> SpikeTable:
    """Add to each peak the snippet of traces on its own channel, lazily.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    peaks
        Lazy table detected on this recording, or computed records sorted by ``sample_index``.
    ms_before, ms_after
        Window around the peak.

    Returns
    -------
    The table with the field ``waveform``, float32 of one window.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> filtered = xephys.bandpass_filter(recording)
    >>> peaks = xephys.detect_peaks(filtered, noise_levels=xephys.estimate_noise_levels(filtered))
    >>> extract_snippets(filtered, peaks).fields[-1]
    'waveform'
    """
    from .kernels import waveforms as kernel

    table = event_table(recording, peaks)
    nbefore, nafter = window_samples(ms_before, ms_after, table.sampling_frequency)
    stage = Stage(
        kernel.snippets,
        dtype=_with_field(table.dtype, "waveform", "<f4", (nbefore + nafter,)),
        parameters={"nbefore": nbefore, "nafter": nafter},
        before=nbefore,
        after=nafter - 1,
        emits="events",
    )
    return table.then(stage)


def learn_components(
    recording: xr.DataArray,
    peaks: SpikeTable,
    *,
    n_components: int = 6,
    ms_before: float = 0.7,
    ms_after: float = 1.3,
    n_tiles: int | None = 20,
    n_peaks_max: int = 20_000,
    seed: int = 0,
) -> xr.DataArray:
    """Learn the temporal components of this recording's spikes from seeded tiles. Computes.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    peaks
        Lazy table detected on this recording.
    n_components
        Number of components.
    ms_before, ms_after
        Window around the peak.
    n_tiles
        How many seconds of the recording are read, spread evenly over it; all of it if None.
    n_peaks_max
        Most snippets used, spread evenly.
    seed
        Of the choice of tiles.

    Returns
    -------
    DataArray ``components`` with dims ``(component, sample)``, orthonormal; attribute ``nbefore``.

    Raises
    ------
    SilentRecordingError
        If fewer peaks are found than components are asked for.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> filtered = xephys.bandpass_filter(recording)
    >>> peaks = xephys.detect_peaks(filtered, noise_levels=xephys.estimate_noise_levels(filtered))
    >>> learn_components(filtered, peaks, n_components=3).sizes["component"]
    3
    """
    from .kernels import waveforms as kernel

    nbefore, _ = window_samples(ms_before, ms_after, peaks.sampling_frequency)
    table = extract_snippets(recording, peaks, ms_before=ms_before, ms_after=ms_after)
    if table.plan is None:
        raise RecordingError("the peaks have no plan; detect them on the recording")
    plans = [table.plan] if n_tiles is None else tile_plans(table.plan, n_tiles=n_tiles, seed=seed)
    snippets = np.concatenate(compute(*[SpikeTable.of_plan(p).data for p in plans]))["waveform"]
    if len(snippets) < n_components:
        read_s = sum(p.n_samples for p in plans) / peaks.sampling_frequency
        raise SilentRecordingError(
            f"{len(snippets)} peaks were found in {read_s:g} s of the recording, too few to learn {n_components} "
            "components; lower detect_threshold or read more tiles"
        )
    chosen = np.unique(np.linspace(0, len(snippets) - 1, min(len(snippets), n_peaks_max)).astype(np.int64))
    components = kernel.learn_components(snippets[chosen], n_components=n_components)
    return xr.DataArray(
        components, dims=("component", "sample"), name="components", attrs={"nbefore": nbefore, "n_peaks": len(chosen)}
    )


def estimate_feature_noise(
    recording: xr.DataArray, *, components: xr.DataArray, sample: Sample | None = None, seed: int = 0
) -> float:
    """Standard deviation of the projections of noise on temporal components. Computes.

    Windows follow one another through the sample, wherever spikes are; the median absolute value does not notice the
    few that hold one.

    Parameters
    ----------
    recording
        The traces on which peaks are projected.
    components
        From :func:`learn_components`.
    sample
        Stretches of these very traces, from :func:`sample_traces`; drawn here if None.
    seed
        Of that drawing.

    Returns
    -------
    In the recording's unit, over all components and all channels that are not marked ``bad``.

    Raises
    ------
    RecordingError
        If no stretch is as long as a component, or the recording is silent.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> filtered = xephys.bandpass_filter(recording)
    >>> peaks = xephys.detect_peaks(filtered, noise_levels=xephys.estimate_noise_levels(filtered))
    >>> components = learn_components(filtered, peaks, n_components=3)
    >>> estimate_feature_noise(filtered, components=components) > 0
    True
    """
    schema.validate_recording(recording)
    parts = sample_traces(recording, seed=seed) if sample is None else sample
    basis, good = np.asarray(components.values, np.float64), ~schema.bad_channels_of(recording)
    length, values = basis.shape[1], []
    for part in parts:
        n_windows = len(part) // length
        windows = part[: n_windows * length, good].reshape(n_windows, length, int(good.sum()))
        values.append(np.abs(np.einsum("kt,wtc->wkc", basis, windows, optimize=True)).ravel())
    found = np.concatenate(values) if values else np.zeros(0)
    noise = float(np.median(found)) / MAD_OF_NORMAL if found.size else 0.0
    if not noise > 0:
        raise RecordingError(
            f"the noise of features is {noise:g} in {len(parts)} stretches of the recording; it is silent, or shorter "
            f"than a component of {length} samples"
        )
    return noise


def project_peaks(
    recording: xr.DataArray,
    peaks: SpikeTable | NDArray[Any],
    *,
    components: xr.DataArray,
    n_nearest: int = 12,
) -> SpikeTable:
    """Project the waveforms around each peak on temporal components, lazily.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    peaks
        Lazy table detected on this recording, or computed records sorted by ``sample_index``.
    components
        From :func:`learn_components`.
    n_nearest
        How many channels around the peak's channel, itself included, are projected (in ascending order of channel).

    Returns
    -------
    The table with the field ``projection``, float32 ``(channel, component)``.

    Raises
    ------
    RecordingError
        If the recording has no positions.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> filtered = xephys.bandpass_filter(recording)
    >>> peaks = xephys.detect_peaks(filtered, noise_levels=xephys.estimate_noise_levels(filtered))
    >>> components = learn_components(filtered, peaks, n_components=3)
    >>> project_peaks(filtered, peaks, components=components, n_nearest=4).dtype["projection"].shape
    (4, 3)
    """
    from .kernels import waveforms as kernel

    table = event_table(recording, peaks)
    neighbours = nearest_channels(schema.positions_of(recording, why="a projection"), n_nearest=n_nearest)
    n_components, length = components.shape
    nbefore = int(components.attrs["nbefore"])
    stage = Stage(
        kernel.project_waveforms,
        dtype=_with_field(table.dtype, "projection", "<f4", (neighbours.shape[1], n_components)),
        parameters={"nbefore": nbefore},
        arrays={"components": np.ascontiguousarray(components.values, np.float32), "neighbours": neighbours},
        before=nbefore,
        after=length - nbefore - 1,
        emits="events",
    )
    return table.then(stage)


def _with_field(dtype: np.dtype[Any], name: str, kind: str, shape: tuple[int, ...]) -> np.dtype[Any]:
    if name in (dtype.names or ()):
        raise ParameterError(f"the peaks already have a field {name!r}; start from the table before it was added")
    return np.dtype([*[(n, dtype[n]) for n in dtype.names or ()], (name, kind, shape)])
