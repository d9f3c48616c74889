"""Filters of finite length, symmetric in time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.dispatch import with_device_twin
from xephys.kernels.lib.inner import kernel

#: Number of standard deviations in time at which the Gaussian is cut off.
REACH_STD = 5.0
#: Minimum number of samples on each side: a Gaussian that is not yet small at the Nyquist frequency has tails in time.
REACH_SAMPLES_MIN = 32


def gaussian_taps(
    *, freq_min_hz: float | None, freq_max_hz: float | None, sampling_frequency: float
) -> NDArray[np.float32]:
    """Response with gain ``exp(-f²/2·freq_max²) - exp(-f²/2·freq_min²)``; an absent frequency's term is 1 or 0.

    Parameters
    ----------
    freq_min_hz, freq_max_hz
        Standard deviations of the two Gaussians over frequency; at least one of them.
    sampling_frequency
        In hertz.

    Returns
    -------
    float32 (2 k + 1,)
        Symmetric; its sum is 0 if there is a lower corner, and 1 otherwise.

    Examples
    --------
    >>> taps = gaussian_taps(freq_min_hz=None, freq_max_hz=3000.0, sampling_frequency=30_000.0)
    >>> len(taps), float(taps.sum())
    (65, 1.0)
    """
    narrowest = min(freq for freq in (freq_min_hz, freq_max_hz) if freq is not None)
    reach = max(REACH_SAMPLES_MIN, int(np.ceil(REACH_STD * sampling_frequency / (2 * np.pi * narrowest))))
    # The inverse transform of the gain itself, so that wide Gaussians are correct up to the Nyquist frequency.
    freq = np.fft.rfftfreq(max(4096, 8 * reach), 1 / sampling_frequency)
    gain = np.ones_like(freq) if freq_max_hz is None else np.exp(-0.5 * (freq / freq_max_hz) ** 2)
    if freq_min_hz is not None:
        gain -= np.exp(-0.5 * (freq / freq_min_hz) ** 2)
    half = np.fft.irfft(gain)[: reach + 1]
    taps = np.concatenate([half[:0:-1], half])
    taps[reach] -= taps.sum() - gain[0]
    return taps.astype(np.float32)


@with_device_twin
def fir_filter(traces: NDArray[Any], *, before: int, after: int, taps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weighted sum of the samples around each one.

    Parameters
    ----------
    traces
        Shape (before + n + after, channel).
    before, after
        Halo, at least half of the taps.
    taps
        Odd number of symmetric weights.

    Returns
    -------
    float32 (n, channel)

    Raises
    ------
    ValueError
        If the halo is too short.

    Examples
    --------
    >>> fir_filter(np.array([[0], [4], [0]]), before=1, after=1, taps=np.array([0.25, 0.5, 0.25], np.float32))
    array([[2.]], dtype=float32)
    """
    reach = len(taps) // 2
    if before < reach or after < reach:
        raise ValueError(f"halo is {before} before and {after} after; the filter reaches {reach} samples")
    n = len(traces) - before - after
    source = np.ascontiguousarray(traces[before - reach : before + n + reach], np.float32)
    filtered = np.empty((n, traces.shape[1]), np.float32)
    _convolve(source, np.ascontiguousarray(taps[reach:]), filtered)
    return filtered


@kernel
def _convolve(source, half, filtered):  # type: ignore[no-untyped-def]
    """Filter 64 rows at a time, so that the sums stay in cache; ``half[0]`` is the weight of the middle."""
    n, channels = filtered.shape
    reach = len(half) - 1
    for first in range(0, n, 64):
        last = min(first + 64, n)
        for t in range(first, last):
            for c in range(channels):
                filtered[t, c] = half[0] * source[t + reach, c]
        for k in range(1, reach + 1):
            weight = half[k]
            for t in range(first, last):
                for c in range(channels):
                    filtered[t, c] += weight * (source[t + reach - k, c] + source[t + reach + k, c])
