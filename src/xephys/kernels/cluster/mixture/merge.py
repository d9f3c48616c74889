"""Merge two units if one Gaussian explains the held-out spikes of both better."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.cluster.mixture.expect import Expected
from xephys.kernels.cluster.mixture.fit import Mixture
from xephys.kernels.cluster.mixture.group import N_ITERATIONS_MAX, Members, evaluate, only, parts_of, spikes_of
from xephys.kernels.cluster.mixture.neighborhoods import Neighborhoods, Rows
from xephys.kernels.cluster.mixture.split import Change


def merge_pair(
    rows: Rows,
    neighborhoods: Neighborhoods,
    mixture: Mixture,
    expected: Expected,
    members: Members,
    entropy_weight: float,
    first: int,
    second: int,
) -> Change | None:
    """One unit in place of two, or None if the two are better.

    Parameters
    ----------
    rows, neighborhoods, mixture, expected, members
        Spikes, model, last E-step and the spikes of every unit.
    entropy_weight : float
        See :func:`~xephys.kernels.cluster.mixture.fit.criterion`.
    first, second : int
        The units.
    """
    group = spikes_of(rows, expected, members, [first, second], log_noise=mixture.log_noise)
    if not (len(group.labels) and group.rows.held_out.any() and not group.rows.held_out.all()):
        return None
    apart = only(mixture, [first, second])
    _, before = evaluate(group, apart, neighborhoods, entropy_weight=entropy_weight)
    together = parts_of(group, np.zeros(len(group.labels), np.int32), neighborhoods, apart)
    together, value = evaluate(
        group, together, neighborhoods, entropy_weight=entropy_weight, n_iterations_max=N_ITERATIONS_MAX
    )
    return Change((first, second), together, value - before) if value > before else None


def pairs_to_merge(distances: NDArray[np.float32], *, distance_max: float, n_near: int) -> NDArray[np.int64]:
    """Pairs of units that are near each other: of each unit, those with the ``n_near`` nearest.

    Examples
    --------
    >>> pairs_to_merge(np.array([[0, 1, 3], [1, 0, 2], [3, 2, 0]], np.float32), distance_max=2, n_near=1).tolist()
    [[0, 1], [1, 2]]
    """
    others = distances.astype(np.float64)
    np.fill_diagonal(others, np.inf)
    order = np.argsort(others, axis=1, kind="stable")[:, :n_near]
    first = np.repeat(np.arange(len(others)), order.shape[1])
    second = order.ravel()
    near = others[first, second] <= distance_max
    pairs = np.stack([np.minimum(first, second), np.maximum(first, second)], axis=1)[near]
    return np.unique(pairs, axis=0).reshape(-1, 2).astype(np.int64)
