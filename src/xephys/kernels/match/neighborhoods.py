"""Which units affect each other, as tables for the pursuits on a device."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["neighborhoods", "pair_numbers"]


def neighborhoods(
    pair_starts: NDArray[np.int64], pair_units: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Which units affect each other, as rectangular tables.

    Returns
    -------
    pairs, partners : int64 (unit, partner)
        Row of the overlaps of each pair, -1 if there is none, and the other unit, or the unit itself if there is none.
    near : int64 (unit, k)
        Units within two steps, padded with the unit itself.
    far : bool (unit, unit)
        Units within four steps.

    Examples
    --------
    >>> tables = neighborhoods(np.array([0, 2, 5, 7]), np.int32([0, 1, 0, 1, 2, 1, 2]))
    >>> tables[0].tolist(), tables[1].tolist()
    ([[0, 1, -1], [2, 3, 4], [5, 6, -1]], [[0, 1, 0], [0, 1, 2], [1, 2, 2]])
    >>> tables[2].tolist(), bool(tables[3].all())
    ([[0, 1, 2], [0, 1, 2], [0, 1, 2]], True)
    """
    n_units = len(pair_starts) - 1
    counts = np.diff(pair_starts)
    places = np.arange(counts.max(initial=1))
    present = places < counts[:, None]
    pairs = np.where(present, pair_starts[:-1, None] + places, -1)
    own = np.arange(n_units)[:, None]
    partners = np.where(present, pair_units[np.maximum(pairs, 0)], own)
    sees = np.zeros((n_units, n_units), bool)
    sees[own, partners] = True
    sees[np.arange(n_units), np.arange(n_units)] = True
    twice = _two_steps(sees)
    order = np.argsort(~twice, axis=1, kind="stable")[:, : twice.sum(axis=1).max(initial=1)]
    near = np.where(np.take_along_axis(twice, order, axis=1), order, own)
    return pairs, partners.astype(np.int64), near, _two_steps(twice)


def pair_numbers(pair_starts: NDArray[np.int64], pair_units: NDArray[np.int32]) -> NDArray[np.int32]:
    """Number of the pair of each two units, -1 where they share no channel.

    Examples
    --------
    >>> pair_numbers(np.array([0, 2, 5, 7]), np.int32([0, 1, 0, 1, 2, 1, 2])).tolist()
    [[0, 1, -1], [2, 3, 4], [-1, 5, 6]]
    """
    n_units = len(pair_starts) - 1
    numbers = np.full((n_units, n_units), -1, np.int32)
    numbers[np.repeat(np.arange(n_units), np.diff(pair_starts)), pair_units] = np.arange(len(pair_units))
    return numbers


def _two_steps(sees: NDArray[np.bool_]) -> NDArray[np.bool_]:
    steps = sees.astype(np.float32)
    return np.asarray(steps @ steps > 0)
