"""Detect spikes by a small convolutional network, whose weights serve every channel of every probe."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from .. import schema
from ..calls import operation
from ..checks import check_choice, check_positive
from ..errors import ParameterError, RecordingError
from ..graph.events import SpikeTable
from ..graph.plan import Stage
from ..per_channel import bad_channels_of, noise_levels_of
from ..recording.stages import recording_plan
from ..typing import PeakSign
from .weights import nearest_network, network_at_rate, read_network


@operation
def detect_by_network(
    recording: xr.DataArray,
    *,
    noise_levels: xr.DataArray,
    network: xr.Dataset | None = None,
    probability_min: float | None = None,
    candidate_threshold: float | None = None,
    peak_sign: PeakSign = "neg",
    exclude_sweep_ms: float = 0.2,
) -> SpikeTable:
    """Detect spikes on each channel by a convolutional network, lazily.

    Local extrema beyond a low threshold are candidates; the network gives each a probability of being a spike, and
    the spike's time between samples. One set of weights serves all channels: it sees traces in units of the noise.

    Parameters
    ----------
    recording
        Filtered traces with dims ``(time, channel)``, with a band of about 300 to 6000 Hz. Channels marked ``bad`` give
        no peaks.
    noise_levels
        Noise level per channel in the recording's unit, from :func:`xephys.estimate_noise_levels`.
    network
        From :func:`xephys.realtime.read_network`; by default, the one trained at the nearest sampling rate. At another
        rate its filters are resampled.
    probability_min
        Minimum probability; by default the network's own, at which misses and false alarms together are fewest.
    candidate_threshold
        Size of a candidate in units of the noise level; the network's own if None.
    peak_sign
        ``"neg"``, ``"pos"`` or ``"both"``.
    exclude_sweep_ms
        Of two peaks of a channel closer than this, the more probable one is kept.

    Returns
    -------
    Lazy table with fields ``sample_index`` (absolute), ``channel_index``, ``amplitude``, ``segment_index``,
    ``probability`` and ``offset`` (float32): the time of the spike minus ``sample_index``, in samples.

    Raises
    ------
    ParameterError
        If a number is outside its limits, or the network does not suit the sampling rate.
    RecordingError
        If the noise levels do not fit, or every channel is silent or bad.

    References
    ----------
    The idea of a convolutional detector per channel is that of RT-Sort (van der Molen, Lim et al. 2024, PLOS ONE
    19:e0312438); this network, its weights and its training are the project's own.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> filtered = xephys.bandpass_filter(recording)
    >>> peaks = detect_by_network(filtered, noise_levels=xephys.estimate_noise_levels(filtered))
    >>> peaks.fields[-2:]
    ('probability', 'offset')
    """
    from ..kernels.detect import network as kernel

    sweep_ms = exclude_sweep_ms
    settings = network_settings(
        recording,
        noise_levels=noise_levels,
        network=network,
        probability_min=probability_min,
        candidate_threshold=candidate_threshold,
        peak_sign=peak_sign,
        exclude_sweep_ms=sweep_ms,
    )
    parameters, arrays = settings
    before, after = kernel.network_halo(
        arrays["network.shape"],
        nbefore=parameters["nbefore"],
        exclude_sweep_samples=parameters["exclude_sweep_samples"],
    )
    stage = Stage(
        kernel.detect_by_network,
        dtype=kernel.NETWORK_PEAK_DTYPE,
        parameters=parameters,
        arrays=arrays,
        before=before,
        after=after,
        emits="events",
    )
    return SpikeTable.of_plan(recording_plan(recording).then(stage))


def network_settings(
    recording: xr.DataArray,
    *,
    noise_levels: xr.DataArray,
    network: xr.Dataset | None,
    probability_min: float | None,
    candidate_threshold: float | None,
    peak_sign: PeakSign,
    exclude_sweep_ms: float,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Numbers and arrays that every kernel which detects by a network takes; parameters as above.

    Raises
    ------
    ParameterError
        If a number is outside its limits, or the network does not suit the sampling rate.
    RecordingError
        If the noise levels do not fit, or every channel is silent or bad.
    """
    rate = schema.validate_recording(recording).sampling_frequency
    own = network_at_rate(read_network(nearest_network(rate)) if network is None else network, rate)
    usual = own.attrs.get("probability_min", own.attrs["stringent_thresh"])
    probability = usual if probability_min is None else probability_min
    threshold = own.attrs["candidate_threshold"] if candidate_threshold is None else candidate_threshold
    check_choice("peak_sign", peak_sign, ("neg", "pos", "both"))
    check_positive(candidate_threshold=threshold, exclude_sweep_ms=exclude_sweep_ms)
    if not 0 <= probability < 1:
        raise ParameterError(f"probability_min is {probability:g}; give at least 0 and less than 1")
    noise = noise_levels_of(recording, noise_levels).astype(np.float64)
    usable = ~bad_channels_of(recording) & (noise > 0)
    if not usable.any():
        raise RecordingError("no channel can give peaks: all are marked bad or constant; check the recording")
    parameters = {
        "nbefore": int(own.attrs["nbefore"]),
        "candidate_threshold": float(threshold),
        "probability_min": float(probability),
        "peak_sign": peak_sign,
        "exclude_sweep_samples": max(1, round(exclude_sweep_ms * 1e-3 * rate)),
    }
    arrays = {
        "noise_levels": np.where(usable, noise, 1.0),
        "good": usable,
        **{f"network.{name}": own[name].values for name in ("weights", "biases", "shape")},
    }
    return parameters, arrays
