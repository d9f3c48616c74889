"""Compute scores of a prototype and its footprints on the traces, and find their local maxima.

There are several scores per sample and channel. They are computed in blocks that stay in the cache, and never stored. A
score's bits depend only on the samples under the prototype: for each sample, every sum runs over lags or channels in a
fixed order.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import copy_values, empty, grown
from xephys.kernels.lib.inner import HELPER, kernel

# Number of samples scored at a time. It is constant, so that every loop over them is SIMD without a remainder.
_WIDTH = 256


@njit(**HELPER, fastmath={"contract"})
def _correlate_block(
    traces: NDArray[np.float32],
    first_row: int,
    taps: NDArray[np.float32],
    columns: NDArray[np.float32],
    filtered: NDArray[np.float32],
) -> None:
    """Correlation of `_WIDTH` rows from `first_row` on with the taps, channel-major; zeros beyond the traces."""
    n_channels = traces.shape[1]
    n_rows = max(0, min(columns.shape[1], traces.shape[0] - first_row))
    columns[:, n_rows:] = 0
    for t in range(n_rows):
        for c in range(n_channels):
            columns[c, t] = traces[first_row + t, c]
    in_fours = taps.size // 4 * 4
    for c in range(n_channels):
        column = columns[c]
        sums = filtered[c]
        sums[:] = 0
        # Four taps at a time, so that a sum is loaded and stored once for four products.
        for lag in range(0, in_fours, 4):
            x0, x1 = column[lag : lag + _WIDTH], column[lag + 1 : lag + 1 + _WIDTH]
            x2, x3 = column[lag + 2 : lag + 2 + _WIDTH], column[lag + 3 : lag + 3 + _WIDTH]
            p0, p1, p2, p3 = taps[lag], taps[lag + 1], taps[lag + 2], taps[lag + 3]
            for t in range(_WIDTH):
                sums[t] = sums[t] + p0 * x0[t] + p1 * x1[t] + p2 * x2[t] + p3 * x3[t]
        for lag in range(in_fours, taps.size):
            x0 = column[lag : lag + _WIDTH]
            p0 = taps[lag]
            for t in range(_WIDTH):
                sums[t] = sums[t] + p0 * x0[t]


@kernel
def correlate_all(traces: NDArray[np.float32], taps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Valid correlation of whole traces, time-major (sample, channel), with the taps: (channel, sample - taps + 1)."""
    n_channels = traces.shape[1]
    n_valid = traces.shape[0] - taps.size + 1
    result = empty((n_channels, n_valid), np.float32)
    columns = empty((n_channels, _WIDTH + taps.size - 1), np.float32)
    filtered = empty((n_channels, _WIDTH), np.float32)
    for first in range(0, n_valid, _WIDTH):
        _correlate_block(traces, first, taps, columns, filtered)
        width = min(_WIDTH, n_valid - first)
        for c in range(n_channels):
            copy_values(filtered[c, :width], result[c, first : first + width])
    return result


@njit(**HELPER, fastmath={"contract"})
def _combine(
    filtered: NDArray[np.float32],
    channels: NDArray[np.int32],
    weights: NDArray[np.float32],
    threshold: np.float32,
    scores: NDArray[np.float32],
) -> np.int32:
    """Scores of one footprint over a block; returns 1 if any is as far from zero as the threshold."""
    scores[:] = 0
    for entry in range(channels.size):
        weight = weights[entry]
        values = filtered[channels[entry]]
        for t in range(_WIDTH):
            scores[t] += weight * values[t]
    crossed = np.int32(0)
    for t in range(_WIDTH):
        crossed |= np.int32((scores[t] >= threshold) | (scores[t] <= -threshold))
    return crossed


@kernel
def scan_scores(
    traces: NDArray[np.float32],
    first: int,
    last: int,
    taps: NDArray[np.float32],
    nbefore: int,
    weight_offsets: NDArray[np.int64],
    weight_channels: NDArray[np.int32],
    weights: NDArray[np.float32],
    thresholds: NDArray[np.float64],
    both: bool,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Find the scores that reach their thresholds and are local maxima in time.

    Parameters
    ----------
    traces : float32 (sample, channel)
        Time-major traces.
    Rows to scan; samples from `nbefore` + 1 rows before the first one are used.
        Rows to scan; the prototype reaches `nbefore` + 1 rows before the first.
    taps : float32 (T,)
        Prototype of unit norm; entry `nbefore` is the spike's sample.
    nbefore : int
        Samples of the prototype before the spike.
    weight_offsets, weight_channels, weights
        Sparse rows of spatial weights, one per channel and depth.
    thresholds : float64 (channel, depth)
        A NaN excludes the score.
    both : bool
        Whether minima beyond minus the threshold count too.

    Returns
    -------
    Positions of the candidates, in no particular order.
        Where the candidates lie, in no particular order.
    Absolute value of score / threshold.
        Score / threshold, without its sign.
    """
    n_channels, n_depths = thresholds.shape
    columns = empty((n_channels, _WIDTH + taps.size - 1), np.float32)
    filtered = empty((n_channels, _WIDTH), np.float32)
    scores = empty(_WIDTH, np.float32)
    rows = empty(4096, np.int64)
    channels = empty(4096, np.int64)
    depths = empty(4096, np.int64)
    ratios = empty(4096, np.float64)
    count = 0
    # The first and the last score of a block only serve as neighbors in time.
    for block in range(first - 1, last - 1, _WIDTH - 2):
        _correlate_block(traces, block - nbefore, taps, columns, filtered)
        end = min(_WIDTH - 1, last - block)
        for footprint in range(n_channels * n_depths):
            channel, depth = footprint // n_depths, footprint % n_depths
            threshold = thresholds[channel, depth]
            entries = slice(weight_offsets[footprint], weight_offsets[footprint + 1])
            # A float32 threshold only decides where to look; the exact comparison below decides.
            near_threshold = np.float32(threshold * (1 - 1e-6))
            if not _combine(filtered, weight_channels[entries], weights[entries], near_threshold, scores):
                continue
            if count + _WIDTH > rows.size:
                more = 2 * rows.size
                rows = grown(rows, more)
                channels = grown(channels, more)
                depths = grown(depths, more)
                ratios = grown(ratios, more)
            for t in range(1, end):
                score = scores[t]
                crest = score >= threshold and score > scores[t - 1] and score >= scores[t + 1]
                trough = both and -score >= threshold and score < scores[t - 1] and score <= scores[t + 1]
                if crest or trough:
                    rows[count] = block + t
                    channels[count] = channel
                    depths[count] = depth
                    ratios[count] = abs(np.float64(score)) / threshold
                    count += 1
    return rows[:count], channels[:count], depths[:count], ratios[:count]
