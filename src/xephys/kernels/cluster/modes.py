"""Over-cluster a cloud by the modes of its density, then join linked modes unless a gap separates them.

Three compiled functions do it: a cloud takes about a millisecond, and threads that come back to Python more often would
spend longer waiting for each other. One function of all three would take a third longer to compile.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xephys.kernels.cluster.bimodality import gap_between
from xephys.kernels.cluster.density import climb, nearest_points
from xephys.kernels.lib.arrays import empty, zeros
from xephys.kernels.lib.inner import HELPER, INNER, KERNEL

#: Priority of a group that is too small to be tested, which is therefore joined before all others.
FIRST_OF_ALL = 1e9


def joined_modes(
    points: NDArray[np.float32], n_neighbors: int, n_spikes_min: int, depth_min: float, ratio_max: float
) -> NDArray[np.int32]:
    """Label points by joined modes of their density.

    Pairs of linked modes are tried in descending order of their links over the links expected from their sizes (the
    degree-corrected null of modularity).

    Parameters
    ----------
    points : (n_points, n_dims) float32
    n_neighbors : int
        Neighbors that measure the density, fewer than the points.
    n_spikes_min : int
        Smaller groups join their most linked neighbor without a test.
    depth_min, ratio_max : float
        A gap is a valley of at least this depth in standard errors and at most this relative height, see
        `valley_depth`.

    Returns
    -------
    labels : (n_points,) int32
        0 … m − 1, by decreasing size.
    """
    indices, squares = nearest_points(points, points, True, n_neighbors)
    labels, links = _linked(indices, squares)
    joined: NDArray[np.int32] = _join(points, labels, links, n_spikes_min, depth_min, ratio_max)
    return joined


@njit(**KERNEL, error_model="numpy")
def _linked(indices: NDArray[np.int32], squares: NDArray[np.float32]) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Modes to which points climb, given the nearest neighbors of each, and how often two modes are neighbors."""
    density = empty(len(indices))
    for i in range(len(indices)):
        density[i] = -_mean_root(squares[i])
    labels = climb(indices, density)
    n_groups = 0
    for i in range(len(indices)):
        n_groups = max(n_groups, labels[i] + 1)
    links = zeros((n_groups, n_groups))
    for i in range(len(indices)):
        for slot in range(indices.shape[1]):
            a, b = labels[i], labels[indices[i, slot]]
            links[a, b] += 1.0
            links[b, a] += 1.0
    return labels, links


@njit(**INNER, error_model="numpy")
def _mean_root(squares: NDArray[np.float32]) -> float:
    """Mean of the square roots, with the additions in NumPy's order: eight sums, then the rest."""
    n = squares.size
    total, done = 0.0, 0
    if n >= 8:
        a, b, c, d, e, f, g, h = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        while done + 8 <= n:
            a += np.sqrt(np.float64(squares[done]))
            b += np.sqrt(np.float64(squares[done + 1]))
            c += np.sqrt(np.float64(squares[done + 2]))
            d += np.sqrt(np.float64(squares[done + 3]))
            e += np.sqrt(np.float64(squares[done + 4]))
            f += np.sqrt(np.float64(squares[done + 5]))
            g += np.sqrt(np.float64(squares[done + 6]))
            h += np.sqrt(np.float64(squares[done + 7]))
            done += 8
        total = ((a + b) + (c + d)) + ((e + f) + (g + h))
    while done < n:
        total += np.sqrt(np.float64(squares[done]))
        done += 1
    return total / n


@njit(**INNER, error_model="numpy")
def _find_lowest(priority: NDArray[np.float64], a: int, lowest: NDArray[np.float64], place: NDArray[np.int64]) -> None:
    """The most urgent partner of a group, among those after it."""
    lowest[a], place[a] = np.inf, -1
    for b in range(a + 1, len(priority)):
        if priority[a, b] < lowest[a]:
            lowest[a], place[a] = priority[a, b], b


@njit(**INNER, error_model="numpy")
def _urgency(
    weight: NDArray[np.float64], degree: NDArray[np.float64], size: NDArray[np.int64], a: int, b: int, n_spikes_min: int
) -> float:
    """Priority of a pair, the lowest of which is tried next; infinite for one without links."""
    if not weight[a, b] > 0:
        return np.inf
    strength = float(weight[a, b] / (degree[a] * degree[b]))
    return -strength - (FIRST_OF_ALL if min(size[a], size[b]) < n_spikes_min else 0.0)


@njit(**HELPER, error_model="numpy")
def _group(points: NDArray[np.float32], labels: NDArray[np.int32], label: int, size: int) -> NDArray[np.float32]:
    members = empty((size, points.shape[1]), np.float32)
    n = 0
    for i in range(len(points)):
        if labels[i] == label:
            for d in range(points.shape[1]):
                members[n, d] = points[i, d]
            n += 1
    return members


@njit(**KERNEL, error_model="numpy")
def _join(
    points: NDArray[np.float32],
    labels: NDArray[np.int32],
    weight: NDArray[np.float64],
    n_spikes_min: int,
    depth_min: float,
    ratio_max: float,
) -> NDArray[np.int32]:
    """Join groups linked by a ``weight``, which is changed, until a gap separates every remaining linked pair."""
    n_groups = len(weight)
    size, degree = zeros(n_groups, np.int64), zeros(n_groups)
    for i in range(len(labels)):
        size[labels[i]] += 1
    for a in range(n_groups):
        for b in range(n_groups):
            degree[a] += weight[a, b]
        weight[a, a] = 0.0
    priority = empty((n_groups, n_groups))
    lowest, place = empty(n_groups), empty(n_groups, np.int64)
    for a in range(n_groups):
        for b in range(a + 1, n_groups):
            priority[a, b] = _urgency(weight, degree, size, a, b, n_spikes_min)
        _find_lowest(priority, a, lowest, place)
    none: Any = np.int64(0)  # with a literal 0, two of these functions would be compiled a second time
    while n_groups > 0:
        a = none
        for other in range(1, n_groups):  # the first of equals, as is its partner
            if lowest[other] < lowest[a]:
                a = other
        if lowest[a] == np.inf:
            break
        b = place[a]
        priority[a, b] = np.inf
        if min(size[a], size[b]) >= n_spikes_min:
            depth, ratio = gap_between(_group(points, labels, a, size[a]), _group(points, labels, b, size[b]))
            if depth >= depth_min and ratio <= ratio_max:
                _find_lowest(priority, a, lowest, place)
                continue
        for i in range(len(labels)):
            if labels[i] == b:
                labels[i] = a
        size[a] += size[b]
        size[b] = 0
        degree[a] += degree[b]
        for other in range(n_groups):
            weight[a, other] += weight[b, other]
            weight[b, other] = 0.0
        for other in range(n_groups):
            weight[other, a] += weight[other, b]
            weight[other, b] = 0.0
        weight[a, a] = 0.0
        for other in range(n_groups):
            if other != a and other != b:
                priority[min(other, b), max(other, b)] = np.inf
                priority[min(other, a), max(other, a)] = _urgency(weight, degree, size, a, other, n_spikes_min)
        lowest[b], place[b] = np.inf, -1
        _find_lowest(priority, a, lowest, place)
        for other in range(b):
            if other == a or size[other] == 0:
                continue
            if place[other] == a or place[other] == b:
                _find_lowest(priority, other, lowest, place)
            elif other < a and (
                priority[other, a] < lowest[other] or (priority[other, a] == lowest[other] and a < place[other])
            ):
                lowest[other], place[other] = priority[other, a], a
    joined = empty(len(labels), np.int32)
    for a in range(n_groups):
        if size[a] == 0:
            continue
        rank = 0
        for b in range(n_groups):
            rank += size[b] > size[a] or (size[b] == size[a] and b < a)
        for i in range(len(labels)):
            if labels[i] == a:
                joined[i] = rank
    return joined
