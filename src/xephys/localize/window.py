"""Input shared by every localization method: the channel positions, and the window around a peak."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class PeakWindow(NamedTuple):
    """Positions ``(channel, 2)`` in µm, groups of the channels, and numbers of samples before the peak and from it on.

    ``separation`` moves the groups apart, as in :func:`xephys.recording.geometry.separation_um`.
    """

    positions: NDArray[np.float64]
    groups: NDArray[np.int64] | None
    separation: NDArray[np.float64]
    nbefore: int
    nafter: int
    sampling_frequency: float
