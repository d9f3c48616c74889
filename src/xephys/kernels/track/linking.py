"""Join units to tracks: the most probable pair first, with the requested strictness."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import empty, full, zeros
from xephys.kernels.lib.inner import helper, kernel

#: Strictness: a join needs pairs that are probable on average, or all of them; at 0, one probable pair is enough.
INTERMEDIATE, CONSERVATIVE = 1, 2
#: Log odds of two units of different sessions that are not a pair, because they are far apart or look different.
FAR_LOG_ODDS = -6.0


@kernel
def link_units(
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    probability: NDArray[np.float64],
    session: NDArray[np.int64],
    neuron: NDArray[np.int64],
    probability_min: float,
    strictness: int,
    fixed: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Assign a track to each unit, numbered by its first unit; a unit without a partner is a track of its own.

    Parameters
    ----------
    first, second, probability : (pair,)
        In descending order of probability.
    session, neuron : (unit,)
        A track has several units of one session only if they are parts of one neuron.
    probability_min : float
    strictness : int
        0 joins two tracks if one of their pairs is probable enough, :data:`INTERMEDIATE` if the log odds of all their
        pairs are high enough on average, :data:`CONSERVATIVE` if every pair is probable enough.
    fixed : (fixed unit,)
        Tracks of the first units, as an earlier call returned them; they stay unchanged, but others may join them.

    Examples
    --------
    >>> pairs = np.array([0, 1]), np.array([1, 2]), np.array([0.9, 0.8])
    >>> units, fixed = np.array([0, 1, 2]), np.empty(0, np.int64)
    >>> link_units(*pairs, units, units, 0.5, 0, fixed).tolist()
    [0, 0, 0]
    >>> link_units(*pairs, units, units, 0.5, CONSERVATIVE, fixed).tolist()
    [0, 0, 2]
    """
    n_units = session.size
    track = np.arange(n_units)
    following = full(n_units, -1, np.int64)
    last = np.arange(n_units)
    for unit in range(fixed.size):
        if fixed[unit] != unit:
            track[unit] = fixed[unit]
            following[last[fixed[unit]]] = unit
            last[fixed[unit]] = unit
    start, partner, of_pair = _pairs_of_units(first, second, n_units)
    seen = full(n_units, -1.0)
    least = np.log(probability_min / max(1.0 - probability_min, 1e-12))
    for pair in range(first.size):
        if probability[pair] < probability_min:
            break
        a, b = track[first[pair]], track[second[pair]]
        if a > b:
            a, b = b, a
        # A track has the number of its first unit, so if b is below the length of `fixed`, both tracks are fixed.
        if a == b or b < fixed.size:
            continue
        clash, total, count, weakest = _weighed(
            a, b, following, session, neuron, probability, start, partner, of_pair, seen
        )
        if clash:
            continue
        if strictness == CONSERVATIVE and weakest < probability_min:
            continue
        if strictness == INTERMEDIATE and total < least * count:
            continue
        following[last[a]] = b
        last[a] = last[b]
        member = b
        while member >= 0:
            track[member] = a
            member = following[member]
    return track


@helper
def _pairs_of_units(
    first: NDArray[np.int64], second: NDArray[np.int64], n_units: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The pairs of each unit, stored in rows, to look up the probability of any two units: starts, partners, pairs."""
    start = zeros(n_units + 1, np.int64)
    for pair in range(first.size):
        start[first[pair] + 1] += 1
        start[second[pair] + 1] += 1
    for unit in range(n_units):
        start[unit + 1] += start[unit]
    fill = start[:-1].copy()
    partner = empty(2 * first.size, np.int64)
    of_pair = empty(2 * first.size, np.int64)
    for pair in range(first.size):
        for unit, other in ((first[pair], second[pair]), (second[pair], first[pair])):
            partner[fill[unit]] = other
            of_pair[fill[unit]] = pair
            fill[unit] += 1
    return start, partner, of_pair


@helper
def _weighed(
    a: int,
    b: int,
    following: NDArray[np.int64],
    session: NDArray[np.int64],
    neuron: NDArray[np.int64],
    probability: NDArray[np.float64],
    start: NDArray[np.int64],
    partner: NDArray[np.int64],
    of_pair: NDArray[np.int64],
    seen: NDArray[np.float64],
) -> tuple[bool, float, int, float]:
    """Whether two tracks exclude each other, and the log odds, number and least probability of their pairs.

    ``seen`` is -1 everywhere, before and after.
    """
    clash, total, count, weakest = False, 0.0, 0, 1.0
    member = a
    while member >= 0 and not clash:
        for k in range(start[member], start[member + 1]):
            seen[partner[k]] = probability[of_pair[k]]
        other = b
        while other >= 0:
            if session[member] == session[other]:
                clash = neuron[member] != neuron[other]
                if clash:
                    break
                other = following[other]
                continue
            chance = seen[other]
            total += np.log(chance / (1.0 - chance)) if chance >= 0 else FAR_LOG_ODDS
            weakest = min(weakest, max(chance, 0.0))
            count += 1
            other = following[other]
        for k in range(start[member], start[member + 1]):
            seen[partner[k]] = -1.0
        member = following[member]
    return clash, total, count, weakest
