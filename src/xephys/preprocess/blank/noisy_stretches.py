"""Silence stretches that hold nothing but noise: chewing, a knock, a moving plug."""

from __future__ import annotations

import xarray as xr

from ... import schema
from ...calls import operation
from ...checks import check_positive
from .agreement import agreement, blank_where_agreed


@operation
def blank_noisy_stretches(
    recording: xr.DataArray,
    *,
    noise_levels: xr.DataArray,
    factor: float = 2.5,
    channel_fraction: float = 0.5,
    window_ms: float = 20.0,
    guard_ms: float = 20.0,
) -> xr.DataArray:
    """Set all channels to 0 where many of them are far noisier than usual, lazily.

    When an animal chews or knocks its plug, thousands of samples cross any threshold that suits the rest of the
    recording. On a long probe a common reference removes these. On a tetrode a reference would remove spikes too, and a
    stretch in which spikes cannot be told from the movement is better left out.

    Parameters
    ----------
    recording
        Filtered traces with dims ``(time, channel)``.
    noise_levels
        From :func:`estimate_noise_levels` on these traces.
    factor
        How many times the usual noise such a stretch has, measured by the median absolute value of its samples. Even
        many spikes hardly raise that: two units firing at 50 Hz on the same wires, with the hash around them, raise it
        to 1.7. The bursts of very large neurons do, and are told by their unevenness: in a movement, hardly any sample
        is four times as large as the median.
    channel_fraction
        Fraction of the good channels that must be this noisy at once.
    window_ms
        Window over which noise is measured, around each sample.
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
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=4, n_units=2, probe="tetrode", seed=0)
    >>> filtered = xephys.bandpass_filter(recording)
    >>> silenced = blank_noisy_stretches(filtered, noise_levels=xephys.estimate_noise_levels(filtered))
    >>> bool((silenced == 0).all("channel").any())  # nothing moves in here
    False
    """
    from ...kernels.lib.constants import MAD_OF_NORMAL
    from ...kernels.preprocess.blank import noisy_stretches as kernel

    check_positive(factor=factor, window_ms=window_ms, guard_ms=guard_ms)
    info = schema.validate_recording(recording)
    per_ms = 1e-3 * info.sampling_frequency
    reach, guard = max(1, round(window_ms / 2 * per_ms)), max(1, round(guard_ms * per_ms))
    return blank_where_agreed(
        recording,
        kernel.blank_noisy_stretches,
        limits=agreement(
            recording, noise_levels=noise_levels, factor=factor * MAD_OF_NORMAL, channel_fraction=channel_fraction
        ),
        guard_samples=guard,
        halo_samples=reach + guard,
        reach_samples=reach,
    )
