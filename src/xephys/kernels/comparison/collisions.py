"""Find collisions: overlapping spikes of different units."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import empty
from xephys.kernels.lib.inner import helper, kernel


@kernel
def colliding_pairs(samples: NDArray[np.int64], units: NDArray[np.int64], within_samples: int) -> NDArray[np.int64]:
    """Find neighboring spikes of two units of one segment: close together, with no spike of either unit between them.

    Parameters
    ----------
    samples : (spike,) int64
        In ascending order.
    units : (spike,) int64
    within_samples : int
        Largest distance between the two spikes.

    Returns
    -------
    (pair, 2) int64
        Positions of the two spikes, the unit with the smaller number first; ordered by the earlier spike.

    Examples
    --------
    >>> colliding_pairs(np.array([0, 3, 4]), np.array([1, 0, 0]), 9).tolist()
    [[1, 0]]
    """
    pairs = empty((0, 2), np.int64)
    for filling in range(2):  # the first pass counts the pairs, the second fills the array
        n_pairs = 0
        for i in range(samples.size):
            for j in range(i + 1, samples.size):
                if samples[j] - samples[i] > within_samples or units[j] == units[i]:
                    break
                if _occurs(units, i + 1, j, units[j]):
                    continue
                if filling:
                    pairs[n_pairs, 0] = i if units[i] < units[j] else j
                    pairs[n_pairs, 1] = j if units[i] < units[j] else i
                n_pairs += 1
        if not filling:
            pairs = empty((n_pairs, 2), np.int64)
    return pairs


@helper
def _occurs(units: NDArray[np.int64], first: int, end: int, unit: int) -> bool:
    for k in range(first, end):  # noqa: SIM110 - Numba has no any() of a generator
        if units[k] == unit:
            return True
    return False
