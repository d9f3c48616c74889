"""Scores of universal templates on the traces, and the largest of them in each neighborhood of space and time.

A template is a shape in time and an envelope over a few contacts, both of unit norm. Every channel is correlated with
every shape, block by block, in buffers that stay in the cache. An envelope is evaluated only where it can reach the
threshold: its score is at most the root of the summed squares on its contacts. In noise, which is nearly everywhere, a
single sum thus replaces all envelopes and shapes of a place.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import copy_values, empty, grown, zeros
from xephys.kernels.lib.inner import helper, kernel
from xephys.kernels.lib.lanes import fma, larger, largest_lane, load_f32, splat_f32, store, subtract, where_less

#: Number of samples scored at a time, a multiple of two vectors.
_WIDTH = 128
_LANES = 16
#: Number of shapes correlated at a time.
GROUP = 3


@helper
def _columns(traces: NDArray[np.float32], first: int, columns: NDArray[np.float32]) -> None:
    """Rows from `first` on, channel by channel; zeros beyond the traces."""
    n_rows, n_channels = traces.shape
    for t0 in range(0, columns.shape[1], 16):
        for t in range(t0, min(t0 + 16, columns.shape[1])):
            row = first + t
            if 0 <= row < n_rows:
                for c in range(n_channels):
                    columns[c, t] = traces[row, c]
            else:
                for c in range(n_channels):
                    columns[c, t] = 0.0


@helper
def _correlate(
    columns: NDArray[np.float32], taps: NDArray[np.float32], scores: NDArray[np.float32], used: NDArray[np.bool_]
) -> None:
    """``scores[c, l, t] = Σ_j taps[l, j] columns[c, t + j]``; `taps` holds a multiple of `GROUP` shapes."""
    n_channels, stride = columns.shape
    n_shapes, length = taps.shape
    for c in range(n_channels):
        if not used[c]:
            scores[c] = 0.0
            continue
        for shape in range(0, n_shapes, GROUP):
            for t in range(0, _WIDTH, 2 * _LANES):
                start = c * stride + t
                zero = splat_f32(np.float32(0.0))
                a0, a1, b0, b1, c0, c1 = zero, zero, zero, zero, zero, zero
                for j in range(length):
                    x0 = load_f32(columns, start + j)
                    x1 = load_f32(columns, start + j + _LANES)
                    p = splat_f32(taps[shape, j])
                    a0, a1 = fma(p, x0, a0), fma(p, x1, a1)
                    p = splat_f32(taps[shape + 1, j])
                    b0, b1 = fma(p, x0, b0), fma(p, x1, b1)
                    p = splat_f32(taps[shape + 2, j])
                    c0, c1 = fma(p, x0, c0), fma(p, x1, c1)
                out = (c * n_shapes + shape) * _WIDTH + t
                store(scores, out, a0)
                store(scores, out + _LANES, a1)
                store(scores, out + _WIDTH, b0)
                store(scores, out + _WIDTH + _LANES, b1)
                store(scores, out + 2 * _WIDTH, c0)
                store(scores, out + 2 * _WIDTH + _LANES, c1)


@helper
def _largest_squares(scores: NDArray[np.float32], squares: NDArray[np.float32]) -> None:
    """The largest squared score of each channel over the shapes."""
    n_channels, n_shapes, _ = scores.shape
    for c in range(n_channels):
        for t in range(0, _WIDTH, _LANES):
            best = splat_f32(np.float32(0.0))
            for shape in range(n_shapes):
                value = load_f32(scores, (c * n_shapes + shape) * _WIDTH + t)
                best = larger(best, fma(value, value, splat_f32(np.float32(0.0))))
            store(squares, c * _WIDTH + t, best)


@helper
def _evaluate(
    scores: NDArray[np.float32],
    squares: NDArray[np.float32],
    contacts: NDArray[np.int32],
    envelopes: NDArray[np.float32],
    enough: np.float32,
    column: int,
    best: NDArray[np.float32],
    code: NDArray[np.float32],
) -> None:
    """Largest |score| of each place over sizes and shapes, where it can reach the threshold, and its template.

    `code` is ``±(1 + size * shapes + shape)``, with the sign of the score.
    """
    n_places, n_slots = contacts.shape
    n_shapes, n_sizes = scores.shape[1], envelopes.shape[0]
    width = best.shape[1]
    zero = splat_f32(np.float32(0.0))
    for place in range(n_places):
        for t in range(0, _WIDTH, _LANES):
            bound = zero
            for k in range(n_slots):
                bound = fma(splat_f32(np.float32(1.0)), load_f32(squares, contacts[place, k] * _WIDTH + t), bound)
            if largest_lane(bound) < enough:
                continue
            highest, which = zero, zero
            for shape in range(n_shapes):
                bound = zero
                for k in range(n_slots):
                    value = load_f32(scores, (contacts[place, k] * n_shapes + shape) * _WIDTH + t)
                    bound = fma(value, value, bound)
                if largest_lane(bound) < enough:
                    continue
                for size in range(n_sizes):
                    total = zero
                    for k in range(n_slots):
                        value = load_f32(scores, (contacts[place, k] * n_shapes + shape) * _WIDTH + t)
                        total = fma(splat_f32(envelopes[size, place, k]), value, total)
                    negative = subtract(zero, total)
                    number = splat_f32(np.float32(1 + size * n_shapes + shape))
                    number = where_less(total, zero, subtract(zero, number), number)
                    total = larger(total, negative)
                    which = where_less(highest, total, number, which)
                    highest = larger(highest, total)
            store(best, place * width + column + t, highest)
            store(code, place * width + column + t, which)


@helper
def _is_largest(best: NDArray[np.float32], neighbors: NDArray[np.int32], place: int, column: int, sweep: int) -> bool:
    """Whether no competing place within the sweep has a larger score, or an equal one that comes first."""
    value = best[place, column]
    for k in range(neighbors.shape[1]):
        other = neighbors[place, k]
        if other >= 0 and (best[other, column] > value or (best[other, column] == value and other < place)):
            return False
    for k in range(neighbors.shape[1]):
        other = neighbors[place, k]
        if other < 0:
            continue
        for t in range(column - sweep, column + sweep + 1):
            if best[other, t] > value or (best[other, t] == value and t < column):
                return False
    return True


@kernel
def scan_universal(
    traces: NDArray[np.float32],
    first: int,
    last: int,
    taps: NDArray[np.float32],
    nbefore: int,
    contacts: NDArray[np.int32],
    envelopes: NDArray[np.float32],
    neighbors: NDArray[np.int32],
    threshold: float,
    sweep: int,
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    """Find the scores that reach the threshold and are the largest in their neighborhood.

    Parameters
    ----------
    traces : float32 (sample, channel)
    first, last : int
        Rows to search. Scores of the rows within the sweep around them are needed too.
    taps : float32 (shape, T)
        Shapes of unit norm, padded with zeros to a multiple of three; entry `nbefore` is the spike's sample.
    nbefore : int
    contacts, envelopes, neighbors
        As in `UniversalGrid`.
    threshold : float
    sweep : int
        Half width of the neighborhood in time.

    Returns
    -------
    rows_places : int64 (event, 2)
        In order of row, then place.
    scores : float32 (event,)
    codes : int64 (event,)
        ``±(1 + size * shapes + shape)`` of the best template, negative where it is inverted.
    """
    n_channels, n_places = traces.shape[1], contacts.shape[0]
    margin = sweep + 1
    columns = zeros((n_channels, _WIDTH + taps.shape[1] + _LANES), np.float32)
    scores = zeros((n_channels, taps.shape[0], _WIDTH), np.float32)
    squares = zeros((n_channels, _WIDTH), np.float32)
    best = zeros((n_places, 2 * margin + _WIDTH), np.float32)
    code = zeros((n_places, 2 * margin + _WIDTH), np.float32)
    used = zeros(n_channels, np.bool_)
    for place in range(n_places):
        for k in range(contacts.shape[1]):
            used[contacts[place, k]] = True
    # Slightly below the squared threshold, because the bound is also subject to rounding.
    enough = np.float32(threshold * threshold * (1 - 1e-4))
    rows_places, values, codes = empty((1024, 2), np.int64), empty(1024, np.float32), empty(1024, np.int64)
    count = 0
    block = first - margin
    while block - margin < last:
        for place in range(n_places):
            copy_values(best[place, _WIDTH:].copy(), best[place, : 2 * margin])
            copy_values(code[place, _WIDTH:].copy(), code[place, : 2 * margin])
        best[:, 2 * margin :] = 0.0
        _columns(traces, block - nbefore, columns)
        _correlate(columns, taps, scores, used)
        _largest_squares(scores, squares)
        _evaluate(scores, squares, contacts, envelopes, enough, 2 * margin, best, code)
        # Only now are the scores known for a whole sweep after these.
        for column in range(max(margin, first - block + 2 * margin), min(margin + _WIDTH, last - block + 2 * margin)):
            for place in range(n_places):
                value = best[place, column]
                if not (value >= threshold and value > best[place, column - 1] and value >= best[place, column + 1]):
                    continue
                if not _is_largest(best, neighbors, place, column, sweep):
                    continue
                if count == len(values):
                    rows_places = np.concatenate((rows_places, rows_places))
                    values, codes = grown(values, 2 * len(values)), grown(codes, 2 * len(codes))
                rows_places[count, 0], rows_places[count, 1] = block - 2 * margin + column, place
                values[count], codes[count] = value, np.int64(code[place, column])
                count += 1
        block += _WIDTH
    return rows_places[:count], values[:count], codes[:count]
