"""Detect peaks: from a lazy recording to a lazy table, in the same task as the filters before it."""

from __future__ import annotations

from typing import Any

import xarray as xr

from .. import schema
from ..calls import operation
from ..checks import check_choice, check_keywords, check_positive, keywords_of
from ..graph.events import SpikeTable
from ..recording.stages import recording_plan
from ..typing import PeakSign
from .matched_filtering import matched_filtering
from .rules import PeakRules
from .threshold import by_channel, locally_exclusive

#: One row per method: the function that makes its stage.
METHODS = {
    "locally_exclusive": locally_exclusive,
    "by_channel": by_channel,
    "matched_filtering": matched_filtering,
}


@operation
def detect_peaks(
    recording: xr.DataArray,
    *,
    method: str = "locally_exclusive",
    peak_sign: PeakSign = "neg",
    exclude_sweep_ms: float = 1.0,
    **parameters: Any,
) -> SpikeTable:
    """Detect threshold crossings, one peak per spike, lazily.

    Parameters
    ----------
    recording
        Filtered traces with dims ``(time, channel)``. Channels marked ``bad`` give no peaks.
    method
        ``"locally_exclusive"``: the largest peak, in units of its threshold, within ``radius_um`` and the sweep;
        ``"by_channel"``: each channel separately; ``"matched_filtering"``: where a prototype spike fits, in time and
        over channels.
    peak_sign
        ``"neg"``, ``"pos"`` or ``"both"``.
    exclude_sweep_ms
        Minimum time between two peaks at one place.
    **parameters
        Parameters of the method: ``noise_levels`` and ``detect_threshold`` (the first two), ``radius_um`` (the first
        and the last), ``matched_filter`` and ``echo_radius_um`` (the last). See
        :func:`xephys.detect.threshold.locally_exclusive`, :func:`xephys.detect.threshold.by_channel` and
        :func:`xephys.detect.matched_filtering.matched_filtering`.

    Returns
    -------
    Lazy table with fields ``sample_index`` (absolute), ``channel_index``, ``amplitude`` and ``segment_index``, and
    ``depth_index`` from a matched filter.

    Raises
    ------
    ParameterError
        If a name is unknown or a number outside its limits.
    RecordingError
        If positions are missing, the noise levels do not fit, or every channel is silent or bad.

    Notes
    -----
    A channel whose noise level is zero is constant and gives no peaks.

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
    check_positive(exclude_sweep_ms=exclude_sweep_ms)
    build = METHODS[method]
    check_keywords(parameters, build, what=f"method {method!r}", beside=keywords_of(detect_peaks))
    sweep = max(1, round(exclude_sweep_ms * 1e-3 * info.sampling_frequency))
    stage = build(PeakRules(recording, info.n_channels, peak_sign, sweep), **parameters)
    return SpikeTable.of_plan(recording_plan(recording).then(stage))
