"""Merge units that are one neuron: alike in shape, and together as refractory as a single train."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.metrics.refractory import is_refractory, refractoriness
from xephys.kernels.metrics.turns import turn_taking

DECISION = np.dtype(
    [
        ("unit", np.int32),
        ("other", np.int32),
        ("similarity", np.float64),
        ("lag", np.int64),
        ("ratio", np.float64),
        ("chance", np.float64),
        ("merged", np.bool_),
        ("reason", "U60"),
    ]
)
"""A tested pair: similarity, statistics of its cross-correlogram, the decision and the reason."""


def merge_refractory(
    candidates: NDArray[np.void],
    trains: Sequence[NDArray[np.int64]],
    *,
    bin_samples: int,
    same_shape: float = 0.9,
    acg_threshold: float = 0.2,
    ccg_threshold: float = 0.25,
    acg_chance: float = 0.2,
    ccg_chance: float = 0.05,
    other_chance: float = 0.01,
    turn_taking_min: float = float("inf"),
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.void]]:
    """Merge similar units whose cross-correlogram is refractory, those with most spikes first.

    Parameters
    ----------
    candidates : structured array of dtype `merge.CANDIDATE`
        Similar pairs.
    trains : list of (n,) int64
        Sorted sample indices of each unit.
    bin_samples : int
        Number of samples in 1 ms.
    same_shape : float
        A less similar pair is merged only if the unit with more spikes is refractory by itself, including everything
        that it has absorbed so far.
    acg_threshold, ccg_threshold, acg_chance, ccg_chance : float
        Limits of `refractoriness` for a unit and for a pair.
    other_chance : float
        Limit on the chance for pairs less similar than ``same_shape``: there are many of them, and two units that fire
        seldom avoid each other by chance.
    turn_taking_min : float
        Units of ``same_shape`` that take turns at least as clearly (see `turns.turn_taking`) are merged too. Where
        tissue moves, pieces of a neuron hardly meet, and their empty cross-correlogram proves nothing.

    Returns
    -------
    target : (unit,) int32
        Unit to which each unit goes, itself if it is not merged.
    shift : (unit,) int64
        Samples to add to the spikes of a merged unit.
    decisions : structured array of dtype `DECISION`

    Examples
    --------
    >>> from xephys.kernels.curate.merge import CANDIDATE
    >>> halves = [np.arange(0, 900_000, 1200), np.arange(600, 900_000, 1200)]
    >>> pair = np.array([(0, 1, 0.95, 0, 1.0)], CANDIDATE)
    >>> target, _, why = merge_refractory(pair, halves, bin_samples=30)
    >>> target.tolist(), why["reason"].tolist()
    ([0, 0], ['refractory together'])
    """
    n_units = len(trains)
    target, shift = np.arange(n_units, dtype=np.int32), np.zeros(n_units, np.int64)
    current = [np.asarray(train, np.int64) for train in trains]
    near: list[list[tuple[float, int, int]]] = [[] for _ in range(n_units)]
    for a, b, similarity, lag, _ in candidates.tolist():
        near[a].append((similarity, b, -lag))  # the delay with which the other reports a spike
        near[b].append((similarity, a, lag))
    decisions = []
    for unit in sorted(range(n_units), key=lambda u: (-len(trains[u]), u)):
        if target[unit] != unit:
            continue
        looking = True
        while looking:
            looking = False
            own = refractoriness(current[unit], bin_samples=bin_samples)
            steady = is_refractory(own, ratio_max=acg_threshold, chance_max=acg_chance)
            for similarity, other, lag in _similar(unit, target, shift, near):
                if not steady and similarity < same_shape:
                    continue
                aligned = np.sort(current[other] - lag)
                found = refractoriness(current[unit], aligned, bin_samples=bin_samples)
                chance_max = ccg_chance if similarity >= same_shape else other_chance
                together = is_refractory(found, ratio_max=ccg_threshold, chance_max=chance_max)
                reason = "refractory together" if together else "not refractory together"
                if not together and similarity >= same_shape and _turns(current[unit], aligned) >= turn_taking_min:
                    together, reason = True, "of one shape, and take turns"
                decisions.append((unit, other, similarity, lag, found.ratio, found.chance, together, reason))
                if together:
                    moved = target == other
                    target[moved] = unit
                    shift[moved] -= lag
                    current[unit] = np.sort(np.concatenate([current[unit], aligned]))
                    looking = True
                    break
    return target, shift, np.array(decisions, DECISION)


def _turns(first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    """How clearly two trains take turns."""
    return turn_taking(np.argsort(np.concatenate([first, second]), kind="stable") >= len(first))


def _similar(
    unit: int, target: NDArray[np.int32], shift: NDArray[np.int64], near: list[list[tuple[float, int, int]]]
) -> list[tuple[float, int, int]]:
    """Units similar to any part of this one, with the current lag between the two."""
    best: dict[int, tuple[float, int]] = {}
    for member in np.flatnonzero(target == unit).tolist():
        for similarity, partner, lag in near[member]:
            other = int(target[partner])
            if other != unit and similarity > best.get(other, (-1.0, 0))[0]:
                best[other] = similarity, int(lag + shift[partner] - shift[member])
    found = [(similarity, other, lag) for other, (similarity, lag) in best.items()]
    return sorted(found, key=lambda item: (-item[0], item[1]))
