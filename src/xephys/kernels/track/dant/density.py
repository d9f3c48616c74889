"""Density clusters of a spanning tree: HDBSCAN with a minimum of two units and a largest size.

With one neighbor for the density, mutual reachability is the distance itself, and the hierarchy is single linkage
(Campello, Moulavi and Sander 2013, PAKDD; McInnes and Healy 2017, ICDMW). Clusters are numbered as in that
hierarchy when it is grown from the first unit.
"""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import empty, full, zeros
from xephys.kernels.lib.inner import kernel


def density_clusters(
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    similarity: NDArray[np.float64],
    n_units: int,
    *,
    size_max: int,
) -> NDArray[np.int64]:
    """Cluster of each unit by excess of mass; -1 for none.

    Parameters
    ----------
    first, second, similarity : (n_units - 1,)
        A maximum spanning tree. The density of two units is ``1 + tanh(similarity)``.
    n_units
    size_max
        Clusters with more units are never selected.

    Examples
    --------
    >>> edges = np.array([0, 2, 0]), np.array([1, 3, 2]), np.array([3.0, 3.0, -2.0])
    >>> density_clusters(*edges, 4, size_max=2).tolist()
    [0, 0, 1, 1]
    """
    if n_units < 2:
        return np.full(n_units, -1, np.int64)
    distance = 1.0 / np.maximum(1.0 + np.tanh(similarity), 1e-300)
    order = np.argsort(np.concatenate([first, second]), kind="stable")
    bounds = np.searchsorted(np.concatenate([first, second])[order], np.arange(n_units + 1))
    trail, steps = _grown(bounds, np.concatenate([second, first])[order], np.tile(distance, 2)[order])
    by_distance = np.argsort(steps, kind="stable")
    children, sizes = _linkage(trail[:-1][by_distance], trail[1:][by_distance])
    density = 1.0 / steps[by_distance]
    parent, born, size, member, left = _condensed(children, sizes, density)
    n_clusters = len(parent)
    # Sums in ascending order of their terms do not depend on the order of the units.
    cluster = np.concatenate([member, parent[1:]])
    value = np.concatenate([left, born[1:]])
    weight = np.concatenate([np.ones(n_units), size[1:]])
    rows = np.lexsort((weight, value, cluster))
    gain = (value[rows] - born[cluster[rows]]) * weight[rows]
    stability = np.bincount(cluster[rows], gain, n_clusters).astype(np.float64)
    return _selected(parent, size.astype(np.int64), stability, member, size_max)


@kernel
def _grown(
    bounds: NDArray[np.int64], neighbors: NDArray[np.int64], distance: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Units in the order in which the tree reaches them from the first one, and the distance of each step (Prim)."""
    n_units = bounds.size - 1
    trail, steps = zeros(n_units, np.int64), zeros(n_units - 1, np.float64)
    reached = zeros(n_units, np.bool_)
    heap = [(0.0, 0)]
    n_reached = 0
    while len(heap):
        step, unit = heapq.heappop(heap)
        if reached[unit]:
            continue
        reached[unit] = True
        trail[n_reached] = unit
        if n_reached:
            steps[n_reached - 1] = step
        n_reached += 1
        for k in range(bounds[unit], bounds[unit + 1]):
            if not reached[neighbors[k]]:
                heapq.heappush(heap, (distance[k], neighbors[k]))
    return trail, steps


@kernel
def _linkage(first: NDArray[np.int64], second: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The two parts of each merge, numbered after the units, and the sizes of all parts."""
    n_units = first.size + 1
    parent, sizes = np.arange(2 * n_units - 1), np.ones(2 * n_units - 1, np.int64)
    children = empty((n_units - 1, 2), np.int64)
    for k in range(n_units - 1):
        for side in range(2):
            node = first[k] if side == 0 else second[k]
            while parent[node] != node:
                parent[node] = parent[parent[node]]
                node = parent[node]
            children[k, side] = node
        parent[children[k, 0]] = parent[children[k, 1]] = n_units + k
        sizes[n_units + k] = sizes[children[k, 0]] + sizes[children[k, 1]]
    return children, sizes


@kernel
def _condensed(
    children: NDArray[np.int64], sizes: NDArray[np.int64], density: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """Clusters of two and more units, level by level: parent, density of birth, size; and where each unit leaves."""
    n_units = children.shape[0] + 1
    parent, born = full(n_units, -1, np.int64), zeros(n_units, np.float64)
    size = zeros(n_units, np.float64)
    member, left = zeros(n_units, np.int64), zeros(n_units, np.float64)
    queue, cluster = empty(2 * n_units - 1, np.int64), zeros(2 * n_units - 1, np.int64)
    queue[0], size[0] = 2 * n_units - 2, n_units
    n_clusters, head, tail = 1, 0, 1
    while head < tail:
        node = queue[head]
        head += 1
        own, at = cluster[node], density[node - n_units]
        split = sizes[children[node - n_units, 0]] > 1 and sizes[children[node - n_units, 1]] > 1
        for side in range(2):
            child = children[node - n_units, side]
            if child < n_units:
                member[child], left[child] = own, at
                continue
            cluster[child] = own
            if split:
                cluster[child] = n_clusters
                parent[n_clusters], born[n_clusters], size[n_clusters] = own, at, sizes[child]
                n_clusters += 1
            queue[tail] = child
            tail += 1
    return parent[:n_clusters], born[:n_clusters], size[:n_clusters], member, left


@kernel
def _selected(
    parent: NDArray[np.int64],
    size: NDArray[np.int64],
    stability: NDArray[np.float64],
    member: NDArray[np.int64],
    size_max: int,
) -> NDArray[np.int64]:
    """Clusters that outweigh the sum of their parts; the whole is none."""
    n_clusters = parent.size
    parts, chosen = zeros(n_clusters, np.float64), zeros(n_clusters, np.bool_)
    for c in range(n_clusters - 1, 0, -1):
        chosen[c] = stability[c] >= parts[c] and size[c] <= size_max
        parts[parent[c]] += stability[c] if chosen[c] else parts[c]
    number = full(n_clusters, -1, np.int64)
    n_found = 0
    for c in range(1, n_clusters):
        if number[parent[c]] >= 0:
            number[c] = number[parent[c]]
        elif chosen[c]:
            number[c] = n_found
            n_found += 1
    return number[member]
