"""Distances between units, and the units near each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.cluster.mixture.fit import Mixture
from xephys.kernels.cluster.mixture.neighborhoods import Neighborhoods
from xephys.kernels.cluster.mixture.pairs import Projected, pairs_of, project_units
from xephys.kernels.lib.arrays import full
from xephys.kernels.lib.inner import kernel

#: Units near each that are tried for a spike besides its candidates.
N_NEAR = 3
#: Bounds of the scale that may be applied to one of two units before they are compared.
SCALE_MIN, SCALE_MAX = 0.75, 4 / 3


@kernel
def unit_distances(
    starts: NDArray[np.int64],
    units: NDArray[np.int32],
    directions: NDArray[np.float32],
    weights: NDArray[np.float64],
    n_units: int,
) -> NDArray[np.float32]:
    """Norm of the difference of two means, one of them scaled, over the geometric mean of their norms.

    Two units are compared on the neighborhood on which the product of their weights is largest.

    Parameters
    ----------
    starts, units
        Of `Pairs`.
    directions : (n_pairs, 1 + rank, n_entries) float32
        Of `Projected`: the means come first.
    weights : (n_pairs,) float64
        Number of spikes of each pair, or energy.
    n_units : int

    Returns
    -------
    distances : (n_units, n_units) float32
        Infinite between units that cannot appear on the same neighborhood.

    Examples
    --------
    >>> means = np.array([[[3.0, 0.0]], [[2.7, 0.0]], [[0.0, 1.0]]], np.float32)
    >>> unit_distances(np.array([0, 3]), np.arange(3, dtype=np.int32), means, np.ones(3), 3)[0].round(2)
    array([0.  , 0.  , 1.42], dtype=float32)
    """
    distances = full((n_units, n_units), np.inf, np.float32)
    largest = full((n_units, n_units), -1.0, np.float32)
    n_entries = directions.shape[2]
    for s in range(len(starts) - 1):
        for p in range(starts[s], starts[s + 1]):
            i = units[p]
            distances[i, i] = 0.0
            for q in range(p + 1, starts[s + 1]):
                j = units[q]
                weight = np.float32(np.sqrt(weights[p] * weights[q]))
                if weight <= largest[i, j]:
                    continue
                largest[i, j] = weight
                first, second, both = 0.0, 0.0, 0.0
                for e in range(n_entries):
                    a, b = directions[p, 0, e], directions[q, 0, e]
                    first += a * a
                    second += b * b
                    both += a * b
                scale = min(max(both / max(first, 1e-12), SCALE_MIN), SCALE_MAX)
                rest = max(scale * scale * first - 2 * scale * both + second, 0.0)
                distances[i, j] = np.sqrt(rest / max(np.sqrt(first * second), 1e-12))
                distances[j, i] = distances[i, j]
    return distances


def near_units(distances: NDArray[np.float32], *, n_near: int, distance_max: float = np.inf) -> NDArray[np.int32]:
    """The units near each, by ascending distance; -1 where there are fewer.

    Examples
    --------
    >>> near_units(np.array([[0, 1, np.inf], [1, 0, 0.5], [np.inf, 0.5, 0]], np.float32), n_near=2).tolist()
    [[1, -1], [2, 0], [1, -1]]
    """
    others = distances.copy()
    np.fill_diagonal(others, np.inf)
    order = np.argsort(others, axis=1, kind="stable")[:, :n_near]
    reached = np.take_along_axis(others, order, axis=1)
    near = np.where(np.isfinite(reached) & (reached <= distance_max), order, -1).astype(np.int32)
    return np.pad(near, ((0, 0), (0, n_near - near.shape[1])), constant_values=-1)


def distances_of(mixture: Mixture, neighborhoods: Neighborhoods) -> NDArray[np.float32]:
    """Distances between the units of a mixture, on the neighborhoods where both have most energy."""
    pairs = pairs_of(mixture.possible)
    seen = Projected(
        *project_units(mixture.loadings, pairs.starts, pairs.units, neighborhoods.entries, neighborhoods.whiten)
    )
    weights = (seen.directions[:, 0].astype(np.float64) ** 2).sum(axis=1)
    distances: NDArray[np.float32] = unit_distances(
        pairs.starts, pairs.units, seen.directions, weights, len(mixture.loadings)
    )
    return distances


def near_in(mixture: Mixture, neighborhoods: Neighborhoods) -> NDArray[np.int32]:
    """The units near each unit of a mixture."""
    return near_units(distances_of(mixture, neighborhoods), n_near=N_NEAR)
