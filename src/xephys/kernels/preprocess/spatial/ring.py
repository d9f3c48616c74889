"""Channels in a ring around each channel, for a local reference."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def ring_neighbors(
    positions: NDArray[np.float64],
    good: NDArray[np.bool_],
    *,
    inner_radius_um: float,
    outer_radius_um: float,
    n_neighbors_min: int,
    groups: NDArray[np.integer] | None = None,
) -> NDArray[np.int32]:
    """Good channels in the ring around each channel, or the nearest beyond its inner radius if these are too few.

    Parameters
    ----------
    positions : (n_channels, 2) float64
    good : (n_channels,) bool
        Channels that may belong to a ring.
    inner_radius_um, outer_radius_um : float
        A channel of the ring is farther away than the first and no farther than the second.
    n_neighbors_min : int
        Minimum number of channels of a ring, if there are enough good channels beyond the inner radius.
    groups : (n_channels,) int, optional
        Group of each channel: a ring contains no channel of another group.

    Returns
    -------
    neighbors : (n_channels, n_slots) int32
        Ascending, -1 where empty.

    Examples
    --------
    >>> line = np.array([[0.0, 0.0], [0.0, 20.0], [0.0, 40.0], [0.0, 100.0]])
    >>> ring = {"inner_radius_um": 30.0, "outer_radius_um": 50.0, "n_neighbors_min": 1}
    >>> ring_neighbors(line, np.ones(4, bool), **ring).ravel().tolist()
    [2, 3, 0, 2]
    """
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    if groups is not None:
        distances[groups[:, None] != groups[None]] = np.inf
    rings = []
    for row in distances:
        beyond = np.flatnonzero(good & (row > inner_radius_um) & np.isfinite(row))
        beyond = beyond[np.argsort(row[beyond], kind="stable")]
        inside = np.count_nonzero(row[beyond] <= outer_radius_um)
        rings.append(np.sort(beyond[: max(int(inside), n_neighbors_min)]))
    neighbors = np.full((len(rings), max(map(len, rings), default=0)), -1, np.int32)
    for channel, ring in enumerate(rings):
        neighbors[channel, : len(ring)] = ring
    return neighbors
