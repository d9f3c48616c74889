"""Spikes of two sortings that are near enough to be the same, counted by pair of units or marked one by one."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(nogil=True, cache=True)
def add_coincidences(
    counts: NDArray[np.int64],
    first_samples: NDArray[np.int64],
    first_units: NDArray[np.int64],
    second_samples: NDArray[np.int64],
    second_units: NDArray[np.int64],
    within_samples: int,
) -> None:
    """Add the coincident spikes of one segment to the counts of their pairs of units.

    Spikes of the first sorting are taken in order, and for each of them those of the second. A pair of units counts a
    pair of spikes unless one of the two is in the pair of spikes that it counted last. In bursts that are shorter than
    the window a spike can so be counted twice; the result depends on which sorting is the first.

    Parameters
    ----------
    counts : (first unit, second unit) int64
    first_samples, second_samples : (spike,) int64
        Ascending.
    first_units, second_units : (spike,) int64
    within_samples : int
        Largest distance of spikes that coincide.

    Examples
    --------
    >>> counts = np.zeros((1, 2), np.int64)
    >>> add_coincidences(
    ...     counts, np.array([10, 50]), np.array([0, 0]), np.array([12, 13, 90]), np.array([0, 0, 1]), 5
    ... )
    >>> counts.tolist()
    [[1, 0]]
    """
    last_first = np.full(counts.shape, -1, np.int64)
    last_second = np.full(counts.shape, -1, np.int64)
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


@njit(nogil=True, cache=True)
def coincident_spikes(
    first_samples: NDArray[np.int64],
    first_units: NDArray[np.int64],
    second_samples: NDArray[np.int64],
    second_units: NDArray[np.int64],
    partner: NDArray[np.int64],
    within_samples: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each spike of one segment the spike of the partner unit that coincides with it.

    Parameters
    ----------
    first_samples, first_units, second_samples, second_units
        As for :func:`add_coincidences`.
    partner : (first unit,) int64
        The second unit with which each first one is compared; -1 for none. No second unit is a partner twice.
    within_samples : int

    Returns
    -------
    of_first, of_second : (spike,) int64
        Position of the other spike, -1 where there is none. Every spike is used once: the earliest that is free.

    Examples
    --------
    >>> coincident_spikes(
    ...     np.array([10, 50]), np.array([0, 0]), np.array([12, 13]), np.array([1, 1]), np.array([1]), 5
    ... )
    (array([ 0, -1]), array([ 0, -1]))
    """
    of_first = np.full(first_samples.size, -1, np.int64)
    of_second = np.full(second_samples.size, -1, np.int64)
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
