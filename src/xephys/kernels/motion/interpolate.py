"""Displacement at any time and depth, by linear interpolation between the cells of a motion estimate.

Beyond the first and last time and depth, the outermost cell applies. Every point is computed separately in float64, so
its value does not depend on the other points.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import empty
from xephys.kernels.lib.inner import inner, kernel

#: A registered depth is found by iteration until it moves by less than this.
_TOLERANCE_UM = 1e-6
#: Displacements change by far less than one µm per µm of depth, so each iteration gains at least one digit.
_N_REPETITIONS_MAX = 50


@kernel
def displacement_at(
    displacement_um: NDArray[np.floating],
    cell_time_s: NDArray[np.float64],
    cell_depth_um: NDArray[np.float64],
    shank_index: NDArray[np.int64],
    time_s: NDArray[np.float64],
    depth_um: NDArray[np.float64],
    registered: bool,
) -> NDArray[np.float64]:
    """Displacement of each point, in µm.

    Parameters
    ----------
    displacement_um
        ``(shank, time, depth)``.
    cell_time_s, cell_depth_um
        Ascending centers of the cells, ``(time,)`` and ``(depth,)``.
    shank_index, time_s, depth_um
        One value per point.
    registered
        Whether ``depth_um`` is the position of the tissue at displacement zero, instead of where it is seen at that
        time.

    Returns
    -------
    float64, one value per point.
    """
    out = empty(len(time_s), np.float64)
    _fill_values(displacement_um, cell_time_s, cell_depth_um, shank_index, time_s, depth_um, registered, out)
    return out


@inner
def _fill_values(
    displacement_um: NDArray[np.floating],
    cell_time_s: NDArray[np.float64],
    cell_depth_um: NDArray[np.float64],
    shank_index: NDArray[np.int64],
    time_s: NDArray[np.float64],
    depth_um: NDArray[np.float64],
    registered: bool,
    out: NDArray[np.float64],
) -> None:
    for i in range(len(time_s)):
        cells = displacement_um[shank_index[i]]
        out[i] = value_at(cells, cell_time_s, cell_depth_um, time_s[i], depth_um[i], registered)


@inner
def value_at(
    displacement_um: NDArray[np.floating],
    cell_time_s: NDArray[np.float64],
    cell_depth_um: NDArray[np.float64],
    time_s: float,
    depth_um: float,
    registered: bool,
) -> float:
    """Displacement of one point, from the cells ``(time, depth)`` of its shank."""
    t, t_share = bracket(cell_time_s, time_s)
    later = next_cell(t, t_share)
    depth, value = depth_um, 0.0
    for _ in range(_N_REPETITIONS_MAX if registered else 1):
        d, d_share = bracket(cell_depth_um, depth)
        above = next_cell(d, d_share)
        before = between(displacement_um[t, d], displacement_um[t, above], d_share)
        after = between(displacement_um[later, d], displacement_um[later, above], d_share)
        last, value = value, between(before, after, t_share)
        depth = depth_um + value
        if abs(value - last) < _TOLERANCE_UM:
            break
    return value


@inner
def bracket(cells: NDArray[np.float64], value: float) -> tuple[int, float]:
    """The cell at or below a value, and the value's fraction of the way to the next one (0 at and beyond the ends)."""
    last = len(cells) - 1
    if not value > cells[0]:
        return 0, 0.0
    if value >= cells[last]:
        return last, 0.0
    low, high = 0, last
    while high - low > 1:
        middle = (low + high) // 2
        if cells[middle] <= value:
            low = middle
        else:
            high = middle
    return low, (value - cells[low]) / (cells[high] - cells[low])


@inner
def next_cell(index: int, share: float) -> int:
    """The second cell of an interpolation; the same one if it does not contribute."""
    return index + 1 if share > 0.0 else index


@inner
def between(first: float, second: float, share: float) -> float:
    return (1.0 - share) * first + share * second
