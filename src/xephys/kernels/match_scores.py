"""Correlation of whitened traces with every low-rank template, at every sample.

A template of rank R on K channels is ``sum_r temporal[r, t] * spatial[r, k]``, so its correlation with the traces is
R weighted sums of K channels, each followed by one convolution in time: ``R * (K + T)`` multiplications per sample
instead of ``K * T``. The traces are transposed block by block into a buffer that stays in the cache, so that both
loops run along time, and every score is summed in the same order wherever its sample lies in the block.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

BLOCK_SAMPLES = 512
UNROLL = 8

__all__ = ["correlate_templates", "estimate_noise_gain", "pad_template_factors"]


def pad_template_factors(
    temporal: NDArray[np.float32], spatial: NDArray[np.float32], channels: NDArray[np.int32]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]:
    """Pad samples and channels with zero weights to a multiple of the kernel's unroll length.

    Parameters
    ----------
    temporal, spatial, channels : arrays of shape (unit, rank, sample), (unit, rank, slot), (unit, slot)
        Low-rank templates; empty channel slots hold -1.

    Returns
    -------
    The same three arrays, the last axis a multiple of eight; empty slots point at channel 0 with weight zero.

    Examples
    --------
    >>> import numpy as np
    >>> one = np.ones((1, 1, 5), np.float32)
    >>> [a.shape[-1] for a in pad_template_factors(one, one, np.arange(5, dtype=np.int32)[None])]
    [8, 8, 8]
    """
    n_units, n_ranks, n_samples = temporal.shape
    n_slots = channels.shape[1]
    padded_temporal = np.zeros((n_units, n_ranks, -(-n_samples // UNROLL) * UNROLL), np.float32)
    padded_temporal[:, :, :n_samples] = temporal
    padded_spatial = np.zeros((n_units, n_ranks, -(-n_slots // UNROLL) * UNROLL), np.float32)
    padded_spatial[:, :, :n_slots] = np.where(channels[:, None, :] >= 0, spatial, 0)
    padded_channels = np.zeros((n_units, padded_spatial.shape[2]), np.int32)
    padded_channels[:, :n_slots] = np.maximum(channels, 0)
    return padded_temporal, padded_spatial, padded_channels


@njit(nogil=True, cache=True)
def _transpose_block(traces: NDArray[np.float32], first: int, rows: int, block: NDArray[np.float32]) -> None:
    n_channels = traces.shape[1]
    for t0 in range(0, rows, 16):
        t1 = min(t0 + 16, rows)
        for c0 in range(0, n_channels, 16):
            for c in range(c0, min(c0 + 16, n_channels)):
                for t in range(t0, t1):
                    block[c, t] = traces[first + t, c]
    block[:, rows:] = 0.0


@njit(nogil=True, cache=True, fastmath={"contract"})
def _weighted_channels(
    block: NDArray[np.float32],
    weights: NDArray[np.float32],
    channels: NDArray[np.int32],
    n_slots: int,
    out: NDArray[np.float32],
) -> None:
    out[:] = 0.0
    for k in range(0, n_slots, 8):
        w0, w1, w2, w3 = weights[k], weights[k + 1], weights[k + 2], weights[k + 3]
        w4, w5, w6, w7 = weights[k + 4], weights[k + 5], weights[k + 6], weights[k + 7]
        x0, x1, x2, x3 = block[channels[k]], block[channels[k + 1]], block[channels[k + 2]], block[channels[k + 3]]
        x4, x5, x6, x7 = block[channels[k + 4]], block[channels[k + 5]], block[channels[k + 6]], block[channels[k + 7]]
        for t in range(out.size):
            out[t] += ((w0 * x0[t] + w1 * x1[t]) + (w2 * x2[t] + w3 * x3[t]) + (w4 * x4[t] + w5 * x5[t])) + (
                w6 * x6[t] + w7 * x7[t]
            )


@njit(nogil=True, cache=True, fastmath={"contract"})
def _add_correlation(signal: NDArray[np.float32], weights: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    for j in range(0, weights.size, 8):
        w0, w1, w2, w3 = weights[j], weights[j + 1], weights[j + 2], weights[j + 3]
        w4, w5, w6, w7 = weights[j + 4], weights[j + 5], weights[j + 6], weights[j + 7]
        x = signal[j : j + out.size + 7]
        for t in range(out.size):
            out[t] += (
                (w0 * x[t] + w1 * x[t + 1]) + (w2 * x[t + 2] + w3 * x[t + 3]) + (w4 * x[t + 4] + w5 * x[t + 5])
            ) + (w6 * x[t + 6] + w7 * x[t + 7])


@njit(nogil=True, cache=True)
def _correlate(
    traces: NDArray[np.float32],
    temporal: NDArray[np.float32],
    spatial: NDArray[np.float32],
    channels: NDArray[np.int32],
    slots_used: NDArray[np.int64],
    scores: NDArray[np.float32],
) -> None:
    n_units, n_ranks, n_taps = temporal.shape
    n_rows = traces.shape[0]
    n_scores = scores.shape[1]
    block = np.zeros((traces.shape[1], BLOCK_SAMPLES + n_taps), np.float32)
    combined = np.zeros(BLOCK_SAMPLES + n_taps, np.float32)
    total = np.zeros(BLOCK_SAMPLES, np.float32)
    for first in range(0, n_scores, BLOCK_SAMPLES):
        _transpose_block(traces, first, min(BLOCK_SAMPLES + n_taps, n_rows - first), block)
        n_valid = min(BLOCK_SAMPLES, n_scores - first)
        for unit in range(n_units):
            total[:] = 0.0
            for rank in range(n_ranks):
                _weighted_channels(block, spatial[unit, rank], channels[unit], slots_used[unit], combined)
                _add_correlation(combined, temporal[unit, rank], total)
            scores[unit, first : first + n_valid] = total[:n_valid]


def correlate_templates(
    traces: NDArray[np.float32],
    *,
    temporal: NDArray[np.float32],
    spatial: NDArray[np.float32],
    channels: NDArray[np.int32],
) -> NDArray[np.float32]:
    """Inner product of each template with the traces, for each position where it fits whole.

    Parameters
    ----------
    traces : float32 array of shape (sample, channel)
    temporal : float32 array of shape (unit, rank, template sample)
    spatial : float32 array of shape (unit, rank, slot)
    channels : int32 array of shape (unit, slot)
        Channel of each slot, -1 where the slot is empty.

    Returns
    -------
    float32 array of shape (unit, n_samples - n_template_samples + 1)
        Entry ``[u, t]`` is the inner product of template ``u`` with ``traces[t : t + n_template_samples]``.

    Examples
    --------
    >>> import numpy as np
    >>> traces = np.zeros((20, 2), np.float32)
    >>> traces[10, 1] = 3.0
    >>> temporal = np.array([[[0, 1, 0]]], np.float32)
    >>> spatial = np.array([[[2]]], np.float32)
    >>> scores = correlate_templates(traces, temporal=temporal, spatial=spatial, channels=np.array([[1]], np.int32))
    >>> scores.shape, int(scores[0].argmax()), float(scores.max())
    ((1, 18), 9, 6.0)
    """
    n_scores = max(traces.shape[0] - temporal.shape[2] + 1, 0)
    scores = np.empty((temporal.shape[0], n_scores), np.float32)
    if scores.size:
        last_slot = ((channels >= 0) * np.arange(1, channels.shape[1] + 1)).max(axis=1)
        slots_used = (-(-last_slot // UNROLL) * UNROLL).astype(np.int64)
        _correlate(traces, *pad_template_factors(temporal, spatial, channels), slots_used, scores)
    return scores


def estimate_noise_gain(
    traces: NDArray[np.float32],
    *,
    temporal: NDArray[np.float32],
    spatial: NDArray[np.float32],
    channels: NDArray[np.int32],
    energies: NDArray[np.float64],
) -> float:
    """Variance of the noise along the templates, relative to white unit noise; the median over units.

    Filtering leaves fewer independent samples in traces of unit variance: between 300 and 6000 Hz at 30 kHz the
    noise along a spike is about 2.8 times as strong as in white noise. Spikes are kept out by the median.

    Parameters
    ----------
    traces : float32 array of shape (sample, channel)
        Whitened; a second is plenty.
    temporal, spatial, channels, energies
        As for `match_templates`.

    Returns
    -------
    float
        1 when there is no template, or no trace as long as one.

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).standard_normal((20000, 1)).astype(np.float32)
    >>> gain = estimate_noise_gain(noise, temporal=np.ones((1, 1, 4), np.float32), energies=np.array([4.0]),
    ...                            spatial=np.ones((1, 1, 1), np.float32), channels=np.zeros((1, 1), np.int32))
    >>> 0.9 < gain < 1.1
    True
    """
    used = energies > 0
    scores = correlate_templates(traces, temporal=temporal[used], spatial=spatial[used], channels=channels[used])
    if not scores.size:
        return 1.0
    deviation = np.median(np.abs(scores), axis=1).astype(np.float64) / 0.6744897501960817
    return float(np.median(deviation**2 / energies[used]))
