"""Correlation of whitened traces with every low-rank template, at every sample.

A template of rank R on K channels is ``sum_r temporal[r, t] * spatial[r, k]``. Its correlation with the traces is
therefore R weighted sums of K channels, each followed by one convolution in time: ``R * (K + T)`` multiplications per
sample instead of ``K * T``. The traces are transposed block by block into a buffer that stays in the cache, so that
both loops run along time, and every score is summed in the same order wherever its sample is in the block.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import empty, zeros
from xephys.kernels.lib.constants import MAD_OF_NORMAL
from xephys.kernels.lib.inner import KERNEL, inner, kernel
from xephys.kernels.lib.lanes import add, fma, load_f32, splat_f32, store, transpose
from xephys.kernels.lib.median import median_deviations

#: Number of scores computed together, a multiple of 64. A block of 384 channels, 0.9 MB, stays in the L2 cache.
BLOCK_SAMPLES = 512
#: The samples of a block beyond its scores are a multiple of this, which is two vectors.
UNROLL = 32
#: Number of samples on each side from which the score half-way between two is interpolated.
HALF_SAMPLE_REACH = 8

__all__ = ["HALF_SAMPLE_WEIGHTS", "correlate_templates", "estimate_noise_gain", "half_sample_weights"]


@inner
def _transpose_block(traces, n_channels, first, rows, row_step, width, block):  # type: ignore[no-untyped-def]
    whole_rows, whole_channels = rows // 16 * 16, n_channels // 16 * 16
    step = row_step * n_channels
    for c in range(0, whole_channels, 16):
        for t in range(0, whole_rows, 16):
            transpose(traces, (first + t) * step + c, step, block, c * width + t, width)
    for c in range(n_channels):
        for t in range(whole_rows if c < whole_channels else 0, rows):
            block[c * width + t] = traces[(first + t) * step + c]
        block[c * width + rows : (c + 1) * width] = 0.0


@inner
def _combine_channels(block, width, spatial, n_ranks, channels, n_slots, combined):  # type: ignore[no-untyped-def]
    """Weighted sums of channels, one per rank, two at a time, so that each sample is loaded once for both."""
    zero = splat_f32(np.float32(0))
    for rank in range(0, n_ranks, 2):
        other = min(rank + 1, n_ranks - 1)
        for t in range(0, width, 32):
            a0, a1, b0, b1 = zero, zero, zero, zero
            for k in range(n_slots):
                here = channels[k] * width + t
                x0, x1 = load_f32(block, here), load_f32(block, here + 16)
                v, w = splat_f32(spatial[rank, k]), splat_f32(spatial[other, k])
                a0, a1 = fma(v, x0, a0), fma(v, x1, a1)
                b0, b1 = fma(w, x0, b0), fma(w, x1, b1)
            store(combined, rank * width + t, a0)
            store(combined, rank * width + t + 16, a1)
            store(combined, other * width + t, b0)
            store(combined, other * width + t + 16, b1)


@inner
def _correlate_in_time(combined, width, temporal, n_ranks, total):  # type: ignore[no-untyped-def]
    """Sum over ranks and taps, 64 scores in registers.

    Sixteen taps are summed separately, which rounds less than one sum.
    """
    zero = splat_f32(np.float32(0))
    n_taps = temporal.shape[1]
    for t in range(0, total.size, 64):
        s0, s1, s2, s3 = zero, zero, zero, zero
        for rank in range(n_ranks):
            here = rank * width + t
            for first in range(0, n_taps, 16):
                p0, p1, p2, p3 = zero, zero, zero, zero
                for j in range(first, min(first + 16, n_taps)):
                    w = splat_f32(temporal[rank, j])
                    p0 = fma(w, load_f32(combined, here + j), p0)
                    p1 = fma(w, load_f32(combined, here + j + 16), p1)
                    p2 = fma(w, load_f32(combined, here + j + 32), p2)
                    p3 = fma(w, load_f32(combined, here + j + 48), p3)
                s0, s1, s2, s3 = add(s0, p0), add(s1, p1), add(s2, p2), add(s3, p3)
        store(total, t, s0)
        store(total, t + 16, s1)
        store(total, t + 32, s2)
        store(total, t + 48, s3)


@kernel
def _correlate(  # type: ignore[no-untyped-def]
    traces, n_channels, row_step, temporal, spatial, channels, slots_used, ranks_used, scores
):
    n_ranks, n_taps = temporal.shape[1:]
    width = -(-(BLOCK_SAMPLES + n_taps) // UNROLL) * UNROLL
    block = zeros(n_channels * width, np.float32)
    combined = zeros(n_ranks * width, np.float32)
    total = zeros(BLOCK_SAMPLES, np.float32)
    _correlate_blocks(
        traces, n_channels, row_step, temporal, spatial, channels, slots_used, ranks_used, scores,
        width, block, combined, total,
    )  # fmt: skip


@inner
def _correlate_blocks(  # type: ignore[no-untyped-def]
    traces, n_channels, row_step, temporal, spatial, channels, slots_used, ranks_used, scores,
    width, block, combined, total,
):  # fmt: skip
    n_units, _, n_taps = temporal.shape
    n_rows, n_scores = -(-(traces.size // n_channels) // row_step), scores.shape[1]
    for first in range(0, n_scores, BLOCK_SAMPLES):
        _transpose_block(
            traces, n_channels, first, min(BLOCK_SAMPLES + n_taps - 1, n_rows - first), row_step, width, block
        )
        n_valid = min(BLOCK_SAMPLES, n_scores - first)
        for unit in range(n_units):
            _combine_channels(block, width, spatial[unit], ranks_used[unit], channels[unit], slots_used[unit], combined)
            _correlate_in_time(combined, width, temporal[unit], ranks_used[unit], total)
            for t in range(n_valid):
                scores[unit, first + t] = total[t]


@njit(**KERNEL, fastmath={"contract"})
def _interleave(coarse: NDArray[np.float32], weights: NDArray[np.float32], scores: NDArray[np.float32]) -> None:
    """Scores at every sample from those at every second one, by interpolation."""
    n_units, n_coarse = coarse.shape
    reach = weights.size
    padded = empty(n_coarse + 2 * reach, np.float32)
    between = empty(n_coarse, np.float32)
    for unit in range(n_units):
        for t in range(padded.size):
            padded[t] = coarse[unit, min(max(t - reach, 0), n_coarse - 1)]
        between[:] = 0.0
        for k in range(reach):
            early, late = padded[reach - k : reach - k + n_coarse], padded[reach + k + 1 : reach + k + 1 + n_coarse]
            for t in range(n_coarse):
                between[t] += weights[k] * (early[t] + late[t])
        for t in range(scores.shape[1] // 2):
            scores[unit, 2 * t], scores[unit, 2 * t + 1] = coarse[unit, t], between[t]
        if scores.shape[1] % 2:
            scores[unit, -1] = coarse[unit, scores.shape[1] // 2]


def half_sample_weights() -> NDArray[np.float32]:
    """Weights of the samples on each side, nearest first, for the value half-way: a sinc under a Kaiser window.

    The error is less than half a percent up to four fifths of the highest frequency.

    Examples
    --------
    >>> weights = half_sample_weights()
    >>> weights.size, round(float(2 * weights.sum()), 3)
    (8, 0.999)
    """
    at = np.arange(HALF_SAMPLE_REACH) + 0.5
    window = np.i0(5.0 * np.sqrt(1.0 - (at / HALF_SAMPLE_REACH) ** 2)) / np.i0(5.0)
    weights: NDArray[np.float32] = (np.sinc(at) * window).astype(np.float32)
    return weights


HALF_SAMPLE_WEIGHTS = half_sample_weights()


def correlate_templates(
    traces: NDArray[np.float32],
    *,
    temporal: NDArray[np.float32],
    spatial: NDArray[np.float32],
    channels: NDArray[np.int32],
    score_step: int = 1,
) -> NDArray[np.float32]:
    """Inner product of each template with the traces, at each position where it fits completely.

    Parameters
    ----------
    traces : float32 array of shape (sample, channel)
    temporal : float32 array of shape (unit, rank, template sample)
    spatial : float32 array of shape (unit, rank, slot)
    channels : int32 array of shape (unit, slot)
        Channel of each slot, -1 where the slot is empty.
    score_step : {1, 2}
        Use 2 for traces with next to nothing above a fifth of the sampling rate: every second sample is used, for every
        second position, and the scores in between are interpolated, at a third of the cost. Templates are means of such
        traces and contain nothing else, so neither aliases.

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
    if not scores.size:
        return scores
    if score_step == 1:
        coarse = scores
    else:
        temporal = np.float32(score_step) * temporal[:, :, ::score_step]
        n_coarse = -(-traces.shape[0] // score_step) - temporal.shape[2] + 1
        coarse = np.empty((temporal.shape[0], n_coarse), np.float32)
    used = channels >= 0
    slots_used = (used * np.arange(1, channels.shape[1] + 1)).max(axis=1)
    ranks_used = (spatial.any(axis=2) * np.arange(1, spatial.shape[1] + 1)).max(axis=1)
    _correlate(
        np.ascontiguousarray(traces, np.float32).reshape(-1),
        traces.shape[1],
        score_step,
        np.ascontiguousarray(temporal, np.float32),
        np.where(used[:, None, :], spatial, np.float32(0)).astype(np.float32),
        np.maximum(channels, 0),
        slots_used,
        ranks_used,
        coarse,
    )
    if coarse is not scores:
        _interleave(coarse, HALF_SAMPLE_WEIGHTS, scores)
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

    Filtering leaves fewer independent samples in traces of unit variance: between 300 and 6000 Hz at 30 kHz, the noise
    along a spike is about 2.8 times as strong as in white noise. The median excludes spikes.

    Parameters
    ----------
    traces : float32 array of shape (sample, channel)
        Whitened traces; one second is plenty.
    temporal, spatial, channels, energies
        As for `match_templates`.

    Returns
    -------
    float
        1 if there is no template, or no trace as long as one.

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).standard_normal((20000, 1)).astype(np.float32)
    >>> gain = estimate_noise_gain(noise, temporal=np.ones((1, 1, 4), np.float32), energies=np.array([4.0]),
    ...                            spatial=np.ones((1, 1, 1), np.float32), channels=np.zeros((1, 1), np.int32))
    >>> 0.9 < gain < 1.1
    True
    """
    gains = noise_gains(traces, temporal=temporal, spatial=spatial, channels=channels, energies=energies)
    return float(np.median(gains[energies > 0])) if np.isfinite(gains).any() else 1.0


def noise_gains(
    traces: NDArray[np.float32],
    *,
    temporal: NDArray[np.float32],
    spatial: NDArray[np.float32],
    channels: NDArray[np.int32],
    energies: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Variance of the noise along each template, relative to white unit noise; NaN if it is unknown.

    Parameters are those of `estimate_noise_gain`, which returns their median.

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).standard_normal((20000, 1)).astype(np.float32)
    >>> gains = noise_gains(noise, temporal=np.ones((1, 1, 4), np.float32), energies=np.array([4.0]),
    ...                     spatial=np.ones((1, 1, 1), np.float32), channels=np.zeros((1, 1), np.int32))
    >>> bool(abs(gains[0] - 1) < 0.1)
    True
    """
    gains, used = np.full(len(energies), np.nan), energies > 0
    scores = correlate_templates(traces, temporal=temporal[used], spatial=spatial[used], channels=channels[used])
    if scores.size:
        deviation = median_deviations(scores, False) / MAD_OF_NORMAL
        gains[used] = deviation**2 / energies[used]
    return gains
