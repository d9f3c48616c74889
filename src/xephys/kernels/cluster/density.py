"""Over-cluster a cloud of points by following the density uphill on its nearest-neighbor graph.

Each point is linked to its nearest neighbor of higher density; the chains end at the modes of the density (Koontz,
Narendra & Fukunaga 1976). No number of clusters is needed, and no scale other than the number of neighbors. The result
deliberately has too many modes: `join_modes` joins those without a gap between them.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import empty, full
from xephys.kernels.lib.inner import KERNEL


@njit(**KERNEL, error_model="numpy")
def nearest_points(
    points: NDArray[np.float32], landmarks: NDArray[np.float32], skip_self: bool, n_neighbors: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """As `nearest_landmarks`, without checks.

    With ``skip_self``, for one array given twice, no point is its own neighbor.
    """
    n_points, n_dims = points.shape
    n_landmarks = landmarks.shape[0]
    # Landmarks along the fast axis, so that the distance loop runs over contiguous memory.
    columns = np.ascontiguousarray(landmarks.T)
    indices = empty((n_points, n_neighbors), np.int32)
    squares = empty((n_points, n_neighbors), np.float32)
    distance = empty(n_landmarks, np.float32)
    for i in range(n_points):
        distance[:] = 0.0
        for d in range(n_dims):
            value = points[i, d]
            for j in range(n_landmarks):
                difference = columns[d, j] - value
                distance[j] += difference * difference
        if skip_self:
            distance[i] = np.inf
        filled = 0
        worst = np.float32(np.inf)
        for j in range(n_landmarks):
            if filled == n_neighbors and not distance[j] < worst:
                continue
            slot = filled if filled < n_neighbors else n_neighbors - 1
            while slot > 0 and squares[i, slot - 1] > distance[j]:
                squares[i, slot] = squares[i, slot - 1]
                indices[i, slot] = indices[i, slot - 1]
                slot -= 1
            squares[i, slot] = distance[j]
            indices[i, slot] = j
            if filled < n_neighbors:
                filled += 1
            worst = squares[i, filled - 1]
    return indices, squares


def nearest_landmarks(
    points: NDArray[np.float32], landmarks: NDArray[np.float32], *, n_neighbors: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The nearest landmarks of every point, exactly, by brute force.

    Parameters
    ----------
    points : (n_points, n_dims) float32
    landmarks : (n_landmarks, n_dims) float32
    n_neighbors : int
        At most ``n_landmarks``.

    Returns
    -------
    indices : (n_points, n_neighbors) int32
        Nearest first; equal distances in order of index.
    squared_distances : (n_points, n_neighbors) float32

    Raises
    ------
    ValueError
        If there are fewer landmarks than requested neighbors.

    Examples
    --------
    >>> import numpy as np
    >>> landmarks = np.array([[0.0], [10.0]], np.float32)
    >>> nearest_landmarks(np.array([[9.0]], np.float32), landmarks, n_neighbors=1)[0]
    array([[1]], dtype=int32)
    """
    if not 1 <= n_neighbors <= landmarks.shape[0]:
        raise ValueError(
            f"n_neighbors is {n_neighbors}, but there are {landmarks.shape[0]} landmarks: "
            f"give a number from 1 to {landmarks.shape[0]}."
        )
    found: tuple[NDArray[np.int32], NDArray[np.float32]] = nearest_points(points, landmarks, False, n_neighbors)
    return found


@njit(**KERNEL, error_model="numpy")
def climb(indices: NDArray[np.int32], density: NDArray[np.float64]) -> NDArray[np.int32]:
    """Label points by the mode of the density they climb to, over their nearest neighbors of higher density.

    Parameters
    ----------
    indices : (n_points, n_neighbors) int32
        Neighbors of each point, nearest first.
    density : (n_points,) float64

    Returns
    -------
    labels : (n_points,) int32
        0, 1, … in the order of the index of the modes.
    """
    n_points, n_neighbors = indices.shape
    parent = empty(n_points, np.int32)
    for i in range(n_points):
        parent[i] = i
        for slot in range(n_neighbors):
            j = indices[i, slot]
            # Among equal densities (identical spikes), climb towards the smaller index, so that no cycle can form.
            if density[j] > density[i] or (density[j] == density[i] and j < i):
                parent[i] = j
                break
    for i in range(n_points):
        root = i
        while parent[root] != root:
            root = parent[root]
        step = i
        while parent[step] != root:
            following = parent[step]
            parent[step] = root
            step = following
    labels = full(n_points, -1, np.int32)
    count = 0
    for i in range(n_points):
        if parent[i] == i:
            labels[i] = count
            count += 1
    for i in range(n_points):
        labels[i] = labels[parent[i]]
    return labels
