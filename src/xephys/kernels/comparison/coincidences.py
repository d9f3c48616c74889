"""Find spikes of two sortings close enough to be the same spike: count them per pair of units, weigh
them by their distance, or mark each one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import full
from xephys.kernels.lib.inner import kernel


@kernel
def add_coincidences(
    counts: NDArray[np.int64],
    first_samples: NDArray[np.int64],
    first_units: NDArray[np.int64],
    second_samples: NDArray[np.int64],
    second_units: NDArray[np.int64],
    within_samples: int,
) -> None:
    """Add the coincident spikes of one segment to the counts of their pairs of units.

    The spikes of the first sorting are visited in order, and for each of them the nearby spikes of the second. A pair
    of spikes is counted for its pair of units unless one of the two spikes was already in the last pair counted there.
    A spike can therefore be counted twice in a burst shorter than the window, and the result depends on which sorting
    comes first.

    Parameters
    ----------
    counts : (first unit, second unit) int64
    first_samples, second_samples : (spike,) int64
        In ascending order.
    first_units, second_units : (spike,) int64
    within_samples : int
        Largest distance between coincident spikes.

    Examples
    --------
    >>> counts = np.zeros((1, 2), np.int64)
    >>> add_coincidences(
    ...     counts, np.array([10, 50]), np.array([0, 0]), np.array([12, 13, 90]), np.array([0, 0, 1]), 5
    ... )
    >>> counts.tolist()
    [[1, 0]]
    """
    last_first = full(counts.shape, -1, np.int64)
    last_second = full(counts.shape, -1, np.int64)
    start = 0
    for i in range(first_samples.size):
        while start < second_samples.size and second_samples[start] < first_samples[i] - within_samples:
            start += 1
        for j in range(start, second_samples.size):
            if second_samples[j] > first_samples[i] + within_samples:
                break
            a, b = first_units[i], second_units[j]
            if last_first[a, b] != i and last_second[a, b] != j:
                last_first[a, b], last_second[a, b] = i, j
                counts[a, b] += 1


@kernel
def add_overlaps(
    overlaps: NDArray[np.int64],
    first_samples: NDArray[np.int64],
    first_units: NDArray[np.int64],
    second_samples: NDArray[np.int64],
    second_units: NDArray[np.int64],
    width_samples: int,
) -> None:
    """Add the overlaps of the spikes of one segment to those of their pairs of units, as if each were a box.

    Every pair of spikes adds the length in samples that two boxes of ``width_samples`` have in common: the product of
    two trains of boxes.

    Parameters
    ----------
    overlaps : (first unit, second unit) int64
    first_samples, second_samples : (spike,) int64
        In ascending order.
    first_units, second_units : (spike,) int64
    width_samples : int

    Examples
    --------
    >>> overlaps = np.zeros((1, 1), np.int64)
    >>> add_overlaps(overlaps, np.array([10, 50]), np.array([0, 0]), np.array([12, 13, 90]), np.zeros(3, int), 5)
    >>> overlaps.tolist()
    [[5]]
    """
    start = 0
    for i in range(first_samples.size):
        while start < second_samples.size and second_samples[start] <= first_samples[i] - width_samples:
            start += 1
        for j in range(start, second_samples.size):
            if second_samples[j] >= first_samples[i] + width_samples:
                break
            overlaps[first_units[i], second_units[j]] += width_samples - abs(second_samples[j] - first_samples[i])


@kernel
def coincident_spikes(
    first_samples: NDArray[np.int64],
    first_units: NDArray[np.int64],
    second_samples: NDArray[np.int64],
    second_units: NDArray[np.int64],
    partner: NDArray[np.int64],
    within_samples: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Match each spike of one segment to a coincident spike of the partner unit.

    Parameters
    ----------
    first_samples, first_units, second_samples, second_units
        As for :func:`add_coincidences`.
    partner : (first unit,) int64
        The second unit with which each first unit is compared; -1 for none. Each second unit has at most one partner.
    within_samples : int

    Returns
    -------
    of_first, of_second : (spike,) int64
        Position of the matched spike, or -1 if there is none. Each spike is used at most once; the earliest free spike
        is taken.

    Examples
    --------
    >>> coincident_spikes(
    ...     np.array([10, 50]), np.array([0, 0]), np.array([12, 13]), np.array([1, 1]), np.array([1]), 5
    ... )
    (array([ 0, -1]), array([ 0, -1]))
    """
    of_first = full(first_samples.size, -1, np.int64)
    of_second = full(second_samples.size, -1, np.int64)
    start = 0
    for i in range(first_samples.size):
        while start < second_samples.size and second_samples[start] < first_samples[i] - within_samples:
            start += 1
        for j in range(start, second_samples.size):
            if second_samples[j] > first_samples[i] + within_samples:
                break
            if second_units[j] == partner[first_units[i]] and of_second[j] < 0:
                of_first[i], of_second[j] = j, i
                break
    return of_first, of_second
