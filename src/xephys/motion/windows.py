"""What is compared: the windows along depth, each with its own displacement, and the pairs of time bins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .shank_peaks import ShankPeaks


def window_centers(peaks: ShankPeaks, *, rigid: bool, step_um: float, margin_um: float) -> NDArray[np.float64]:
    """Depths of the centers, ascending; the middle of the contacts for rigid motion or a shank with room for one.

    Parameters
    ----------
    peaks
        Peaks of one shank.
    rigid
        Whether to use a single window.
    step_um
        Distance of the windows.
    margin_um
        Maximum distance of a center beyond the contacts; if negative, minimum distance inside.
    """
    low, high = peaks.contacts_um[0] - margin_um, peaks.contacts_um[1] + margin_um
    if rigid or high - low < step_um:
        return np.array([sum(peaks.contacts_um) / 2])
    n = int((high - low) // step_um) + 1
    spare = (high - low) - (n - 1) * step_um
    return low + spare / 2 + step_um * np.arange(n)


def spread_lags(reach: int) -> NDArray[np.int64]:
    """Lags 1, 2, 3, … at first, then ever farther apart, up to the reach."""
    lags = [1]
    while lags[-1] < reach:
        lags.append(min(max(lags[-1] + 1, int(lags[-1] * 1.3)), reach))
    return np.array(lags, np.int64)
