"""Exact median of adjacent numbers, by counting the values below a moving pivot.

The pivot moves until half of the values are below it. Counting takes one comparison per sixteen values, and a good
first pivot needs only a few moves. The starting point affects the time, never the result.
"""

import numpy as np

from xephys.kernels.lib.arrays import empty, full, zeros
from xephys.kernels.lib.inner import helper, kernel
from xephys.kernels.lib.lanes import (
    LANES,
    count_less,
    larger,
    largest_lane,
    load_f32,
    smaller,
    smallest_lane,
    splat_f32,
    sum_lanes,
    where_less,
    where_nan,
)

QUICK_MOVES = 4  # interpolating moves of the pivot before each further one also steps past a value


@helper
def median_of(values, size, guess, spacing):  # type: ignore[no-untyped-def]
    """Median as ``numpy.median`` of float32 (NaN if any value is), and the spacing of values around it for a next
    search.

    ``values`` holds ``size`` numbers and is padded with +inf to a multiple of 16. ``guess`` is the starting point, and
    ``spacing`` the expected distance between values there; 0 if unknown. Once ``low`` and ``high`` are finite, fewer
    than ``half`` values are below ``low`` and more are below ``high``. After a few interpolating moves, each move also
    steps past the next value, so that the search ends even with ties.
    """
    half = size // 2
    if half == 0:
        return values[0], spacing
    if _any_nan(values, size):
        return np.float32(np.nan), spacing
    infinity = np.float32(np.inf)
    if not (spacing > 0 and spacing < infinity):
        guess = values[0]
        spacing = (_largest_below(values, size, infinity) - _smallest_from(values, size, -infinity)) / np.float32(size)
    low, below_low = -infinity, 0
    high, below_high = infinity, size
    pivot = guess
    stride = spacing
    moves = 0
    while True:
        below = _count_below(values, size, pivot)
        if below == half:
            break
        moves += 1
        if abs(below - half) <= 2 or moves > QUICK_MOVES:
            up = below < half
            value = _smallest_from(values, size, pivot) if up else _largest_below(values, size, pivot)
            if value == infinity:
                return value, spacing
            pivot = _float_of_key(_key_of_float(value) + 1) if up else value
            below = _count_below(values, size, pivot)
            if below == half:
                break
            if (below > half) == up:
                # Stepping past this single value passed the middle, so both middle values equal it.
                return value, spacing
        if below < half:
            low, below_low = pivot, below
        else:
            high, below_high = pivot, below
        bracketed = low > -infinity and high < infinity
        if bracketed:
            pivot = low + (high - low) * (np.float32(half - below_low) / np.float32(below_high - below_low))
        else:
            pivot = pivot + np.float32(half - below) * stride
            stride = stride * np.float32(2)
        if not low < pivot < high or (moves > 2 * QUICK_MOVES and moves % 2 == 0):
            # Halve the bracket in the order of representable numbers: at most 32 such moves.
            pivot = _float_of_key((_key_of_float(low) + _key_of_float(high)) // 2)
    if low > -infinity and high < infinity:
        spacing = np.float32(0.75) * spacing + np.float32(0.25) * (high - low) / np.float32(below_high - below_low)
    upper = _smallest_from(values, size, pivot)
    if size % 2 == 1:
        return upper, spacing
    return (_largest_below(values, size, pivot) + upper) / np.float32(2), spacing


@kernel
def median_deviations(rows, from_median):  # type: ignore[no-untyped-def]
    """Median absolute deviation of each row from its own median, or from 0: a median absolute value.

    Parameters
    ----------
    rows : (n_rows, n) float32
    from_median : bool

    Returns
    -------
    deviations : (n_rows,) float64

    Examples
    --------
    >>> median_deviations(np.array([[1, 2, 9]], np.float32), True).tolist()
    [1.0]
    """
    n_rows, n = rows.shape
    values = full(n + 16, np.inf, np.float32)
    deviations = empty(n_rows, np.float64)
    # Rows of one kind have similar medians, so each search begins where the last one ended.
    found, around = zeros(2, np.float32), zeros(2, np.float32)  # of the median, and of the deviation from it
    for row in range(n_rows):
        for step in range(0 if from_median else 1, 2):
            for t in range(n):
                values[t] = abs(rows[row, t] - found[0]) if step else rows[row, t]
            found[step], around[step] = median_of(values, n, found[step], around[step])
        deviations[row] = found[1]
        for step in range(2):
            if not abs(found[step]) < np.inf:
                found[step] = 0.0
    return deviations


@helper
def _count_below(values, size, pivot):  # type: ignore[no-untyped-def]
    pivots = splat_f32(pivot)
    count = 0
    for i in range(0, size, LANES):
        count += count_less(load_f32(values, i), pivots)
    return count


@helper
def _largest_below(values, size, pivot):  # type: ignore[no-untyped-def]
    pivots = splat_f32(pivot)
    nothing = splat_f32(np.float32(-np.inf))
    best = nothing
    for i in range(0, size, LANES):
        value = load_f32(values, i)
        best = larger(where_less(value, pivots, value, nothing), best)
    return largest_lane(best)


@helper
def _smallest_from(values, size, pivot):  # type: ignore[no-untyped-def]
    pivots = splat_f32(pivot)
    nothing = splat_f32(np.float32(np.inf))
    best = nothing
    for i in range(0, size, LANES):
        value = load_f32(values, i)
        best = smaller(where_less(value, pivots, nothing, value), best)
    return smallest_lane(best)


@helper
def _any_nan(values, size):  # type: ignore[no-untyped-def]
    found = splat_f32(np.float32(0))
    for i in range(0, size, LANES):
        value = load_f32(values, i)
        found = where_nan(value, value, found)
    return np.isnan(sum_lanes(found))


@helper
def _key_of_float(value):  # type: ignore[no-untyped-def]
    """An integer that sorts like the float; both zeros are 0."""
    if value == 0:
        return np.int64(0)
    bits = np.int64(np.float32(value).view(np.int32))
    return bits if bits >= 0 else -(bits & 0x7FFFFFFF)


@helper
def _float_of_key(key):  # type: ignore[no-untyped-def]
    magnitude = np.int32(abs(key)).view(np.float32)
    return magnitude if key >= 0 else -magnitude
