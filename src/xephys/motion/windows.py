"""Where the windows along depth lie in which a displacement of its own is estimated."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .shank_peaks import ShankPeaks


def window_centers(peaks: ShankPeaks, *, rigid: bool, step_um: float, margin_um: float) -> NDArray[np.float64]:
    """Depths of the centers, ascending; the middle of the contacts for rigid motion or a shank with room for one.

    Parameters
    ----------
    peaks
        Of one shank.
    rigid
        One window only.
    step_um
        Distance of the windows.
    margin_um
        How far beyond the contacts a center may lie; negative: how far inside it stays.
    """
    low, high = peaks.contacts_um[0] - margin_um, peaks.contacts_um[1] + margin_um
    if rigid or high - low < step_um:
        return np.array([sum(peaks.contacts_um) / 2])
    n = int((high - low) // step_um) + 1
    spare = (high - low) - (n - 1) * step_um
    return low + spare / 2 + step_um * np.arange(n)
