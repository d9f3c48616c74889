"""Remove stripes across a probe by a high-pass over depth, under a gain that follows the size of the signal.

Follows the destriping of the International Brain Laboratory (2022, "Spike sorting pipeline for the International Brain
Laboratory", figshare 19705522). Large spikes would ring over depth, so each channel is divided by its recent amplitude
before the filter and multiplied by it afterwards.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import zeros
from xephys.kernels.lib.inner import kernel
from xephys.kernels.lib.mixing import mix_channels


def highpass_matrix(n_channels: int, *, freq_min: float, order: int, n_channel_pad: int) -> NDArray[np.float64]:
    """The high-pass over channels in order of depth, forwards and backwards, as a matrix.

    Parameters
    ----------
    n_channels
        Number of channels in a row.
    freq_min
        Corner as a fraction of the highest spatial frequency (half a cycle per channel).
    order
        Order of the Butterworth design, which is applied twice.
    n_channel_pad
        Number of channels mirrored at both ends before the filter, at most all of them.

    Returns
    -------
    float64 (channel_in, channel_out)

    Examples
    --------
    >>> matrix = highpass_matrix(64, freq_min=0.01, order=3, n_channel_pad=60)
    >>> bool(abs(np.ones(64) @ matrix).max() < 0.05)  # what all channels share is taken out
    True
    """
    from scipy.signal import butter, sosfiltfilt

    pad = min(n_channel_pad, n_channels)
    identity = np.eye(n_channels)
    padded = np.concatenate([identity[:, :pad][:, ::-1], identity, identity[:, n_channels - pad :][:, ::-1]], axis=1)
    sos = butter(order, freq_min, btype="highpass", output="sos")
    filtered = sosfiltfilt(sos, padded, axis=1, padlen=0 if pad == 0 else None)
    matrix: NDArray[np.float64] = filtered[:, pad : pad + n_channels]
    return matrix


def destripe(
    traces: NDArray[Any],
    *,
    before: int,
    after: int,
    window_samples: int,
    floor: float,
    groups: NDArray[np.int64],
    outputs: NDArray[np.int64],
    sources: NDArray[np.int64],
    counts: NDArray[np.int64],
    weights: NDArray[np.float32],
    offsets: NDArray[np.float32],
) -> NDArray[np.float32]:
    """High-pass over channels of traces divided by their recent amplitude, then multiplied by it again.

    Parameters
    ----------
    traces
        Shape (before + n + after, channel).
    before, after
        Halo: half of the window.
    window_samples
        Odd length of the Hann window over which the absolute value is averaged; 0 switches the gain off.
    floor
        Constant added to the gain, as a fraction of its mean over the channels of the group.
    groups
        Shape (channel,): channels that are filtered together.
    outputs, sources, counts, weights, offsets
        The packed matrix, see `xephys.kernels.lib.mixing`.

    Returns
    -------
    float32 (n, channel)

    Raises
    ------
    ValueError
        If the halo is shorter than half of the window.
    """
    packed: dict[str, Any] = {
        "outputs": outputs,
        "sources": sources,
        "counts": counts,
        "weights": weights,
        "offsets": offsets,
    }
    if window_samples == 0:
        return mix_channels(traces, before=before, after=after, **packed)
    reach = window_samples // 2
    if before < reach or after < reach:
        raise ValueError(f"halo is {before} before and {after} after; the window reaches {reach} samples")
    n = len(traces) - before - after
    values = np.ascontiguousarray(traces[before - reach : before + n + reach], np.float32)
    gain = np.empty((n, traces.shape[1]), np.float32)
    _hann_mean(values, window_samples, gain)
    for group in np.unique(groups):
        own = groups == group
        gain[:, own] += np.float32(floor) * gain[:, own].mean(axis=1, keepdims=True, dtype=np.float32)
    level = np.divide(values[reach : reach + n], gain, out=np.zeros_like(gain), where=gain > 0)
    return mix_channels(level, **packed) * gain


@kernel
def _hann_mean(traces, window, mean):  # type: ignore[no-untyped-def]
    """Mean of the absolute value under a Hann window of ``window`` rows around each row of the core.

    The window ``w[k] = (1 - cos(2 pi k / (window - 1))) / 2`` is a running sum minus the real part of a running Fourier
    sum: a few operations per sample, however long the window. The sums run in double precision from the first row on,
    so the choice of the first row affects the last bits; callers pass whole tiles.
    """
    n, channels = mean.shape
    angle = 2.0 * np.pi / (window - 1)
    turn_re, turn_im = np.cos(angle), -np.sin(angle)
    last_re, last_im = np.cos(angle * (window - 1)), np.sin(angle * (window - 1))
    weight = 0.5 * (window - 1)
    plain = zeros(channels)
    real = zeros(channels)
    imag = zeros(channels)
    for k in range(window):
        re, im = np.cos(angle * k), np.sin(angle * k)
        for c in range(channels):
            size = abs(np.float64(traces[k, c]))
            plain[c] += size
            real[c] += size * re
            imag[c] += size * im
    for t in range(n):
        for c in range(channels):
            mean[t, c] = max(0.5 * (plain[c] - real[c]) / weight, 0.0)
        if t + 1 < n:
            for c in range(channels):
                old, new = abs(np.float64(traces[t, c])), abs(np.float64(traces[t + window, c]))
                plain[c] += new - old
                re, im = real[c] - old, imag[c]
                real[c] = re * turn_re - im * turn_im + new * last_re
                imag[c] = re * turn_im + im * turn_re + new * last_im
