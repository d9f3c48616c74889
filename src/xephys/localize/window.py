"""What every method of localization is given: where the channels are, and the window around a peak."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class PeakWindow(NamedTuple):
    """Positions of the channels ``(channel, 2)`` in µm, and the samples before a peak and from it on."""

    positions: NDArray[np.float64]
    nbefore: int
    nafter: int
    sampling_frequency: float
