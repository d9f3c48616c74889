"""Search for a valley in the density of a one-dimensional sample."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import zeros
from xephys.kernels.lib.inner import KERNEL

#: Points of the grid on which the density is estimated.
GRID = 128


@njit(**KERNEL, error_model="numpy")
def deepest_valley(values: NDArray[np.float64], low: float, high: float) -> tuple[float, float]:
    """Depth in standard errors of the deepest valley in [low, high], and its ratio to the lower shoulder."""
    margin = 0.5 * (high - low)
    origin = low - margin
    step = (high - low + 2.0 * margin) / GRID
    counts = zeros(GRID + 1, np.int64)
    for value in values:
        cell = int(np.floor((value - origin) / step))
        if 0 <= cell < GRID:
            counts[cell + 1] += 1
    for i in range(GRID):
        counts[i + 1] += counts[i]
    best = 0.0
    ratio = 1.0
    # Windows of 8, 14 and 25 % of the range: narrow ones find sharp gaps, wide ones find shallow gaps in few
    # spikes.
    for half in (GRID // 25, GRID // 14, GRID // 8):
        window = zeros(GRID, np.int64)
        for i in range(half, GRID - half):
            window[i] = counts[i + half] - counts[i - half]
        right = zeros(GRID, np.int64)
        running = np.int64(0)
        for i in range(GRID - 1, -1, -1):
            running = max(running, window[i])
            right[i] = running
        running = np.int64(0)
        for i in range(half, GRID - half):
            running = max(running, window[i])
            position = origin + i * step
            if position <= low or position >= high:
                continue
            shoulder = min(running, right[i])
            if shoulder > window[i]:
                depth = (shoulder - window[i]) / np.sqrt(float(shoulder + window[i]))
                if depth > best:
                    best = depth
                    ratio = window[i] / shoulder
    return best, ratio


def valley_depth(values: NDArray[np.float64], *, low: float, high: float) -> tuple[float, float]:
    """Depth of the deepest valley of a one-dimensional sample between two positions.

    Spikes are counted in sliding windows of three widths. A valley is a window with fewer spikes than the
    fullest window on either side of it.

    Parameters
    ----------
    values : (n,) float64
    low, high : float
        Expected positions of the two groups. Valleys are sought between them, shoulders up to half the distance beyond.

    Returns
    -------
    depth : float
        Difference between the lower shoulder and the valley, in standard errors of that difference. 0 if the sample is
        unimodal. As a maximum over positions, it reaches 2 by chance.
    ratio : float
        Spikes in the valley divided by spikes in the lower shoulder; 1 if the sample is unimodal.

    Examples
    --------
    >>> import numpy as np
    >>> two = np.r_[np.linspace(-1.3, -0.7, 50), np.linspace(0.7, 1.3, 50)]
    >>> depth, ratio = valley_depth(two, low=-1.0, high=1.0)
    >>> depth > 4, ratio
    (True, 0.0)
    """
    if not high > low:
        return 0.0, 1.0
    depth, ratio = deepest_valley(np.ascontiguousarray(values, np.float64), float(low), float(high))
    return float(depth), float(ratio)
