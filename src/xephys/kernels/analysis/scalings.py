"""Size of each spike as a multiple of its unit's template, taking overlapping spikes into account.

For an isolated spike, this is the slope of its waveform on the template, both without their means (ordinary least
squares with an intercept). If spikes of overlapping units are within a lag, it is the non-negative least squares of all
their templates together, without their means, over all samples and channels that any of them covers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

#: Maximum number of steps of the active set, per variable, as in Lawson and Hanson (1974).
_STEPS_A_VARIABLE = 3


@njit(nogil=True, cache=True)
def scale_spikes(
    traces: NDArray[Any],
    rows: NDArray[np.int64],
    units: NDArray[np.int64],
    wanted: NDArray[np.int64],
    templates: NDArray[np.float32],
    channels: NDArray[np.int32],
    overlap: NDArray[np.bool_],
    nbefore: int,
    lag_samples: int,
    lo: int,
    hi: int,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Scale of some of the given spikes, and which of them collide.

    Parameters
    ----------
    traces : (row, channel)
    rows : (spike,) int64
        Row of each spike's sample, ascending; including spikes beyond the tile that may overlap.
    units : (spike,) int64
    wanted : (wanted,) int64
        Positions of the spikes whose scale is computed; the others only overlap them.
    templates : (unit, sample, slot) float32
    channels : (unit, slot) int32
        -1 where empty.
    overlap : (unit, unit) bool
        Units that share a channel.
    nbefore : int
        Samples of a template before the spike's sample.
    lag_samples : int
        Spikes collide at lags from ``-lag_samples`` up to but not including ``lag_samples``; 0 for never.
    lo, hi : int
        Range of rows that are samples of the recording; templates are cut there.

    Returns
    -------
    scale : (wanted,) float32
        0 if the template is zero.
    collides : (wanted,) bool

    Examples
    --------
    >>> template = np.float32([[[0], [-2], [1]]])
    >>> traces = np.zeros((9, 1), np.float32)
    >>> traces[3:6, 0] = [0, -3, 1.5]
    >>> scale, collides = scale_spikes(traces, np.array([4]), np.array([0]), np.array([0]), template,
    ...     np.zeros((1, 1), np.int32), np.ones((1, 1), bool), 1, 0, 0, 9)
    >>> scale.tolist(), collides.tolist()
    ([1.5], [False])
    """
    n_samples = templates.shape[1]
    scale = np.zeros(wanted.size, np.float32)
    collides = np.zeros(wanted.size, np.bool_)
    for place in range(wanted.size):
        i = wanted[place]
        group = [i]
        j = i - 1
        while lag_samples > 0 and j >= 0 and rows[j] >= rows[i] - lag_samples:
            j -= 1
        for other in range(j + 1, rows.size):
            if lag_samples == 0 or rows[other] >= rows[i] + lag_samples:
                break
            if other != i and overlap[units[i], units[other]]:
                group.append(other)
        if len(group) == 1:
            scale[place] = _slope(traces, rows[i] - nbefore, templates[units[i]], channels[units[i]], lo, hi)
        else:
            collides[place] = True
            members = np.array(group)
            scale[place] = _joint(
                traces, rows[members], units[members], templates, channels, nbefore, n_samples, lo, hi
            )
    return scale, collides


@njit(nogil=True, cache=True)
def _slope(
    traces: NDArray[Any], row: int, template: NDArray[np.float32], wanted: NDArray[np.int32], lo: int, hi: int
) -> float:
    n = 0
    sum_x = sum_y = sum_xx = sum_xy = 0.0
    for t in range(max(0, lo - row), min(template.shape[0], hi - row)):
        for k in range(wanted.size):
            if wanted[k] >= 0:
                x, y = np.float64(template[t, k]), np.float64(traces[row + t, wanted[k]])
                n += 1
                sum_x += x
                sum_y += y
                sum_xx += x * x
                sum_xy += x * y
    if n == 0:
        return 0.0
    spread = sum_xx - sum_x * sum_x / n
    return (sum_xy - sum_x * sum_y / n) / spread if spread > 1e-12 * sum_xx else 0.0


@njit(nogil=True, cache=True)
def _joint(
    traces: NDArray[Any],
    rows: NDArray[np.int64],
    units: NDArray[np.int64],
    templates: NDArray[np.float32],
    channels: NDArray[np.int32],
    nbefore: int,
    n_samples: int,
    lo: int,
    hi: int,
) -> float:
    """Scale of the first of several spikes that are fitted together."""
    n = rows.size
    begin = max(lo, rows.min() - nbefore)
    end = min(hi, rows.max() - nbefore + n_samples)
    used = np.zeros(traces.shape[1], np.bool_)
    for a in range(n):
        for k in range(channels.shape[1]):
            if channels[units[a], k] >= 0:
                used[channels[units[a], k]] = True
    listed = np.flatnonzero(used)
    place = np.full(traces.shape[1], -1)
    place[listed] = np.arange(listed.size)
    length = end - begin
    size = length * listed.size
    columns = np.zeros((n, length, listed.size))
    for a in range(n):
        for t in range(n_samples):
            row = rows[a] - nbefore + t
            if begin <= row < end:
                for k in range(channels.shape[1]):
                    if channels[units[a], k] >= 0:
                        columns[a, row - begin, place[channels[units[a], k]]] = templates[units[a], t, k]
    gram, target = np.zeros((n, n)), np.zeros(n)
    means = np.zeros(n)
    mean = 0.0
    for t in range(length):
        for k in range(listed.size):
            mean += np.float64(traces[begin + t, listed[k]])
    mean /= size
    for a in range(n):
        means[a] = columns[a].sum() / size
    for a in range(n):
        for b in range(a, n):
            total = 0.0
            for t in range(length):
                for k in range(listed.size):
                    total += columns[a, t, k] * columns[b, t, k]
            gram[a, b] = gram[b, a] = total - size * means[a] * means[b]
        total = 0.0
        for t in range(length):
            for k in range(listed.size):
                total += columns[a, t, k] * np.float64(traces[begin + t, listed[k]])
        target[a] = total - size * means[a] * mean
    return float(nonnegative(gram, target)[0])


@njit(nogil=True, cache=True)
def nonnegative(gram: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Non-negative least squares from the normal equations, by the active set of Lawson and Hanson (1974).

    Examples
    --------
    >>> nonnegative(np.eye(2), np.array([2.0, -1.0])).round(6).tolist()
    [2.0, 0.0]
    """
    n = target.size
    x = np.zeros(n)
    free = np.zeros(n, np.bool_)
    tolerance = 1e-10 * max(np.abs(target).max(), 1e-300)
    for _ in range(_STEPS_A_VARIABLE * n):
        slope = target - gram @ x
        best = -1
        for a in range(n):
            if not free[a] and gram[a, a] > 0 and slope[a] > tolerance and (best < 0 or slope[a] > slope[best]):
                best = a
        if best < 0:
            break
        free[best] = True
        while True:
            index = np.flatnonzero(free)
            small = np.empty((index.size, index.size))
            for a in range(index.size):
                for b in range(index.size):
                    small[a, b] = gram[index[a], index[b]]
                small[a, a] *= 1.0 + 1e-12  # two copies of one template have no unique solution
            solved = np.linalg.solve(small, target[index])
            if solved.min() > 0:
                x[:] = 0.0
                x[index] = solved
                break
            step, bound = 2.0, 0
            for a in range(index.size):
                if solved[a] <= 0:
                    ratio = x[index[a]] / (x[index[a]] - solved[a] + 1e-300)
                    if ratio < step:
                        step, bound = ratio, a
            for a in range(index.size):
                x[index[a]] += step * (solved[a] - x[index[a]])
                if a == bound or x[index[a]] <= 0:
                    x[index[a]] = 0.0
                    free[index[a]] = False
            if not free.any():
                break
    return x
