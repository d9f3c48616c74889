"""Artifacts of the whole probe: stimuli, discharges, a knock on the cage."""

from __future__ import annotations

import xarray as xr

from ... import schema
from ...calls import operation
from ...checks import check_positive, check_share
from .agreement import agreement, blank_where_agreed


@operation
def blank_common_artifacts(
    recording: xr.DataArray,
    *,
    noise_levels: xr.DataArray,
    threshold: float = 8.0,
    channel_fraction: float = 0.5,
    peak_fraction: float = 0.35,
    guard_ms: float = 1.0,
) -> xr.DataArray:
    """Set all channels to 0 where many of them far exceed their noise at one sample, lazily.

    A spike is seen by the few channels around its neuron. What half of a probe sees at the very same sample is a
    stimulus, a discharge or a movement; left in place, it would be matched as a spike of every unit and spoil the
    averages.

    Parameters
    ----------
    recording
        Filtered traces with dims ``(time, channel)``. Filter first, because a filter would ring at the edges of the
        silence; subtract a common reference later, because it would remove what the channels share.
    noise_levels
        From :func:`estimate_noise_levels` on these traces.
    threshold
        In noise levels.
    channel_fraction
        Fraction of the good channels that must exceed the threshold.
    peak_fraction
        These channels must also exceed this fraction of the largest value within the guard. A large spike exceeds the
        noise on half of a short probe, but its footprint falls off with distance; that of an artifact does not.
    guard_ms
        Additional time silenced on either side.

    Returns
    -------
    Traces, float32, same coordinates, chunks and unit, still lazy.

    Raises
    ------
    ParameterError
        If a number is outside its limits, or there is not one noise level per channel.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=32, n_units=2, seed=0)
    >>> filtered = xephys.bandpass_filter(recording)
    >>> silenced = blank_common_artifacts(filtered, noise_levels=xephys.estimate_noise_levels(filtered))
    >>> bool((silenced == 0).all("channel").any())  # there is no artifact in here
    False
    """
    from ...kernels.preprocess.blank import common_artifacts as kernel

    check_positive(threshold=threshold, guard_ms=guard_ms)
    check_share(peak_fraction=peak_fraction)
    info = schema.validate_recording(recording)
    guard = max(1, round(guard_ms * 1e-3 * info.sampling_frequency))
    return blank_where_agreed(
        recording,
        kernel.blank_common_artifacts,
        limits=agreement(recording, noise_levels=noise_levels, factor=threshold, channel_fraction=channel_fraction),
        guard_samples=guard,
        halo_samples=2 * guard,
        peak_fraction=float(peak_fraction),
    )
