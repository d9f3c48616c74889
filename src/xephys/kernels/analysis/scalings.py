"""Size of each spike as a multiple of its unit's template, taking overlapping spikes into account.

For an isolated spike, this is the slope of its waveform on the template, both without their means (ordinary least
squares with an intercept). If spikes of overlapping units are within a lag, it is the non-negative least squares of all
their templates together, without their means, over all samples and channels that any of them covers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.inner import helper, kernel
from xephys.kernels.lib.lanes import LANES, add, fma, load_f64, splat_f64, sum_lanes

#: Maximum number of steps of the active set, per variable, as in Lawson and Hanson (1974).
_STEPS_A_VARIABLE = 3


@kernel
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
    scale = np.zeros(wanted.size, np.float32)
    collides = np.zeros(wanted.size, np.bool_)
    places = np.full(traces.shape[1], -1)
    cut = np.zeros(templates.shape[1] * templates.shape[2], traces.dtype)
    whole = np.empty((templates.shape[0], 3))
    whole[:] = np.nan
    fits = np.empty((rows.size, 5))
    fits[:] = np.nan
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
        for member in group:
            if np.isnan(fits[member, 0]):
                unit, row = units[member], rows[member] - nbefore
                _fit(traces, row, unit, templates[unit], channels[unit], lo, hi, cut, whole, fits[member])
        if len(group) == 1:
            n, x, xx, y, xy = fits[i]
            spread = xx - x * x / max(n, 1.0)
            if spread > 1e-12 * xx:
                scale[place] = (xy - x * y / n) / spread
        else:
            collides[place] = True
            members = np.array(group)
            scale[place] = _joint(
                traces, rows[members] - nbefore, units[members], templates, channels, lo, hi, fits[members], places
            )
    return scale, collides


@helper
def _fit(
    traces: NDArray[Any],
    row: int,
    unit: int,
    template: NDArray[np.float32],
    wanted: NDArray[np.int32],
    lo: int,
    hi: int,
    cut: NDArray[Any],
    whole: NDArray[np.float64],
    fit: NDArray[np.float64],
) -> None:
    """Number of values of a template inside the recording, sums of these and of the traces there, and of products.

    Those of a whole template alone are kept in ``whole``, because hardly any spike is at the end of a recording.
    """
    n_samples, n_slots = template.shape
    begin, end = max(0, lo - row), min(n_samples, hi - row)
    for t in range(begin, end):
        values = traces[row + t]
        line = cut[(t - begin) * n_slots : (t - begin + 1) * n_slots]
        for k in range(n_slots):
            line[k] = values[wanted[k]] if wanted[k] >= 0 else 0
    inside = template[begin : max(begin, end)]
    if inside.shape[0] < n_samples or np.isnan(whole[unit, 0]):
        fit[0] = inside.shape[0] * (wanted >= 0).sum()
        fit[1], fit[2] = _sum_and_product(inside, inside)
        if inside.shape[0] == n_samples:
            whole[unit] = fit[:3]
    else:
        fit[:3] = whole[unit]
    fit[3], fit[4] = _sum_and_product(cut, inside)


@helper
def _sum_and_product(first: NDArray[Any], second: NDArray[np.float32]) -> tuple[float, float]:
    """Sum of as many values of the first as the second has, and sum of the products with these."""
    one, other = first.reshape(-1), second.reshape(-1)
    totals, products = splat_f64(0.0), splat_f64(0.0)
    lanes = LANES // 2
    n = other.size // lanes * lanes
    for i in range(0, n, lanes):
        values = load_f64(one, i)
        totals = add(totals, values)
        products = fma(values, load_f64(other, i), products)
    total, product = sum_lanes(totals), sum_lanes(products)
    for i in range(n, other.size):
        total += np.float64(one[i])
        product += np.float64(one[i]) * np.float64(other[i])
    return total, product


@helper
def _joint(
    traces: NDArray[Any],
    rows: NDArray[np.int64],
    units: NDArray[np.int64],
    templates: NDArray[np.float32],
    channels: NDArray[np.int32],
    lo: int,
    hi: int,
    fits: NDArray[np.float64],
    places: NDArray[np.int64],
) -> float:
    """Scale of the first of several spikes that are fitted together; ``rows`` are those at which their templates begin.

    ``places`` is -1 everywhere, before and after.
    """
    n, n_samples = rows.size, templates.shape[1]
    begin, end = max(lo, rows.min()), min(hi, rows.max() + n_samples)
    gram, target = np.zeros((n, n)), np.zeros(n)
    listed = np.empty(min(places.size, n * channels.shape[1]), np.int64)
    n_listed = 0
    for a in range(n):
        for channel in channels[units[a]]:
            if channel >= 0 and places[channel] < 0:
                places[channel] = n_listed
                listed[n_listed] = channel
                n_listed += 1
    sums = np.zeros(n_listed)
    for row in range(begin, end):
        values = traces[row]
        for k in range(n_listed):
            sums[k] += values[listed[k]]
    places[listed[:n_listed]] = -1
    size = (end - begin) * n_listed
    mean = sums.sum() / size
    for a in range(n):
        for b in range(a):
            gram[a, b] = _overlap(rows[a], templates[units[a]], channels[units[a]],
                                  rows[b], templates[units[b]], channels[units[b]], lo, hi, places)  # fmt: skip
            gram[a, b] -= fits[a, 1] * fits[b, 1] / size
            gram[b, a] = gram[a, b]
        gram[a, a] = fits[a, 2] - fits[a, 1] ** 2 / size
        target[a] = fits[a, 4] - fits[a, 1] * mean
    return float(nonnegative(gram, target)[0])


@helper
def _overlap(
    first_row: int,
    first: NDArray[np.float32],
    first_channels: NDArray[np.int32],
    second_row: int,
    second: NDArray[np.float32],
    second_channels: NDArray[np.int32],
    lo: int,
    hi: int,
    places: NDArray[np.int64],
) -> float:
    """Sum of the products of two templates where both are, inside the recording."""
    n_samples, n_slots = first.shape
    for k in range(n_slots):
        if second_channels[k] >= 0:
            places[second_channels[k]] = k
    shared = np.empty((n_slots, 2), np.int64)
    n_shared = 0
    for k in range(n_slots):
        if first_channels[k] >= 0 and places[first_channels[k]] >= 0:
            shared[n_shared, 0], shared[n_shared, 1] = k, places[first_channels[k]]
            n_shared += 1
    for k in range(n_slots):
        if second_channels[k] >= 0:
            places[second_channels[k]] = -1
    sums = np.zeros(n_slots)
    for row in range(max(lo, first_row, second_row), min(hi, first_row + n_samples, second_row + n_samples)):
        one, other = first[row - first_row], second[row - second_row]
        for k in range(n_shared):
            sums[k] += np.float64(one[shared[k, 0]]) * np.float64(other[shared[k, 1]])
    return float(sums.sum())


@kernel
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
