"""What decides whether a candidate is a spike: limits of its gain and amplitude, and how templates overlap."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Limits(NamedTuple):
    """Numbers that decide which candidate is a spike."""

    threshold: float
    noise_gain: float
    amplitude_precision: float
    amplitude_min: float
    amplitude_max: float
    refractory_samples: int
    mismatch: float
    guard_samples: int
    n_sweeps: int


class Pairs(NamedTuple):
    """Overlaps of templates that share channels, rows of a compressed sparse table."""

    starts: NDArray[np.int64]
    units: NDArray[np.int32]
    overlaps: NDArray[np.float32]
    likeness: NDArray[np.float64]  # largest share of the second template's direction in one spike of the first
    unexplained: NDArray[np.float64]  # by unit: share of a spike's energy that its template leaves; infinite: no pairs
