"""Detection of peaks: a lazy table from a lazy recording, in the same task as the filters before it."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from .. import schema
from ..checks import check_choice, check_positive
from ..errors import ParameterError, RecordingError
from ..graph.build import extend_plan
from ..graph.events import SpikeTable
from ..graph.plan import Stage
from ..recording.geometry import neighbours_within
from ..recording.stages import as_lazy
from ..typing import PeakSign

METHODS = ("locally_exclusive", "by_channel", "matched_filtering")


def detect_peaks(
    recording: xr.DataArray,
    *,
    noise_levels: xr.DataArray | None = None,
    method: str = "locally_exclusive",
    detect_threshold: float = 5.0,
    peak_sign: PeakSign = "neg",
    exclude_sweep_ms: float = 1.0,
    radius_um: float = 50.0,
    matched_filter: xr.Dataset | None = None,
    echo_radius_um: float = 0.0,
    segment_index: int = 0,
) -> SpikeTable:
    """Detect threshold crossings, one peak per spike, lazily.

    Parameters
    ----------
    recording
        Filtered traces with dims ``(time, channel)``. Channels marked ``bad`` give no peaks.
    noise_levels
        Noise level per channel in the recording's unit, from :func:`estimate_noise_levels`; needed by the first two
        methods.
    method
        ``"locally_exclusive"``: the largest peak, in units of its threshold, within ``radius_um`` and the sweep;
        ``"by_channel"``: each channel for itself; ``"matched_filtering"``: where a prototype spike fits, in time and
        over channels.
    detect_threshold
        In units of the noise level; a matched filter has its own.
    peak_sign
        ``"neg"``, ``"pos"`` or ``"both"``.
    exclude_sweep_ms
        Shortest time between two peaks of one place.
    radius_um
        Largest distance of channels that compete for a peak.
    matched_filter
        From :func:`estimate_matched_filter`, for that method.
    echo_radius_um
        With a matched filter, a peak no farther than this from one three times as strong is taken for its echo.
    segment_index
        Written into every record.

    Returns
    -------
    Lazy table with fields ``sample_index`` (absolute), ``channel_index``, ``amplitude`` and ``segment_index``
    (and ``depth_index`` from a matched filter).

    Raises
    ------
    ParameterError
        If a name is unknown or a number outside its limits.
    RecordingError
        If positions are missing, the noise levels do not fit, or every channel is silent or bad.

    Notes
    -----
    A channel whose noise level is zero is constant: it gives no peaks.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> filtered = xephys.bandpass_filter(recording)
    >>> peaks = detect_peaks(filtered, noise_levels=xephys.estimate_noise_levels(filtered))
    >>> peaks.fields
    ('sample_index', 'channel_index', 'amplitude', 'segment_index')
    """
    info = schema.validate_recording(recording)
    check_choice("method", method, METHODS)
    check_choice("peak_sign", peak_sign, ("neg", "pos", "both"))
    check_positive(detect_threshold=detect_threshold, exclude_sweep_ms=exclude_sweep_ms)
    sweep = max(1, round(exclude_sweep_ms * 1e-3 * info.sampling_frequency))
    parameters = {"peak_sign": peak_sign, "exclude_sweep_samples": sweep, "segment_index": segment_index}
    arrays: dict[str, Any] = {}
    if echo_radius_um and (echo_radius_um < 0 or method != "matched_filtering"):
        raise ParameterError(
            f"echo_radius_um is {echo_radius_um:g} and method {method!r}; it must be at least 0, and 0 but for "
            "matched_filtering"
        )
    if method != "by_channel":
        positions = schema.positions_of(recording, why=f"detection by {method}")
        arrays["neighbours"] = neighbours_within(positions, radius_um=radius_um)
    if method == "matched_filtering":
        if echo_radius_um > 0:
            arrays["echo_neighbours"] = neighbours_within(positions, radius_um=echo_radius_um)
        stage = _matched_stage(matched_filter, info.n_channels, parameters, arrays)
    else:
        stage = _threshold_stage(recording, noise_levels, detect_threshold, parameters, arrays)
    return SpikeTable.of_plan(extend_plan(as_lazy(recording), stage, sampling_frequency=info.sampling_frequency))


def _threshold_stage(
    recording: xr.DataArray,
    noise_levels: xr.DataArray | None,
    detect_threshold: float,
    parameters: dict[str, Any],
    arrays: dict[str, Any],
) -> Stage:
    from ..kernels.detect import peaks as kernel

    n = recording.sizes["channel"]
    if noise_levels is None:
        raise ParameterError("noise_levels is missing; give those of estimate_noise_levels(recording)")
    noise = np.asarray(noise_levels, np.float64)
    if noise.shape != (n,):
        raise RecordingError(f"noise_levels has shape {noise.shape} for {n} channels; estimate them on this recording")
    usable = ~schema.bad_channels_of(recording) & (noise > 0)
    if not usable.any():
        raise RecordingError("no channel can give peaks: all are marked bad or constant; check the recording")
    thresholds = np.where(usable, noise * detect_threshold, 1.0).astype(np.float32)
    halo = kernel.detection_halo(exclude_sweep_samples=parameters["exclude_sweep_samples"])
    return Stage(
        kernel.detect_locally_exclusive if "neighbours" in arrays else kernel.detect_by_channel,
        dtype=schema.PEAK_DTYPE,
        parameters=parameters,
        arrays={**arrays, "thresholds": thresholds, "channel_mask": usable},
        before=halo,
        after=halo,
        emits="events",
    )


def _matched_stage(
    matched_filter: xr.Dataset | None, n_channels: int, parameters: dict[str, Any], arrays: dict[str, Any]
) -> Stage:
    from ..kernels.detect import matched_filter as kernel

    if matched_filter is None:
        raise ParameterError("matched_filter is missing; give that of estimate_matched_filter(recording)")
    if matched_filter.sizes["channel"] != n_channels:
        raise RecordingError(
            f"the matched filter is for {matched_filter.sizes['channel']} channels, the recording has {n_channels}; "
            "estimate it on this recording"
        )
    nbefore = int(matched_filter.attrs["nbefore"])
    names = ("prototype", "thresholds", "weight_offsets", "weight_channels", "weights")
    before, after = kernel.matched_filter_halo(
        prototype_length=matched_filter.sizes["sample"],
        nbefore=nbefore,
        exclude_sweep_samples=parameters["exclude_sweep_samples"],
    )
    return Stage(
        kernel.detect_matched_filtering,
        dtype=kernel.MATCHED_PEAK_DTYPE,
        parameters={**parameters, "nbefore": nbefore},
        arrays={**arrays, **{name: matched_filter[name].values for name in names}},
        before=before,
        after=after,
        emits="events",
    )
