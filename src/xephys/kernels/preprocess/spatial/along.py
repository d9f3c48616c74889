"""Weights over channels for derivatives and means along one direction of a probe."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def derivative_matrix(
    positions: NDArray[np.float64], columns: NDArray[np.integer], *, order: int, edge_order: int
) -> NDArray[np.float64]:
    """Matrix whose product with the channels of a sample is the derivative along each column.

    Second-order central differences for unequal distances inside and one-sided ones at the ends, like `numpy.gradient`.

    Parameters
    ----------
    positions
        Shape (channel,), in µm: places along the direction.
    columns
        Shape (channel,): number of the column of each channel.
    order
        Order of the derivative.
    edge_order
        Order of accuracy at the ends of a column, 1 or 2.

    Returns
    -------
    float64 (channel_in, channel_out), in 1/µm to the power of ``order``

    Raises
    ------
    ValueError
        If a column has fewer than ``edge_order + 1`` different places, or two channels at one place.

    Examples
    --------
    >>> matrix = derivative_matrix(np.array([0.0, 20, 40]), np.zeros(3, int), order=1, edge_order=1)
    >>> (np.array([1.0, 3, 9]) @ matrix).round(6).tolist()
    [0.1, 0.2, 0.3]
    """
    n = len(positions)
    matrix = np.eye(n)
    for column in np.unique(columns):
        own = np.flatnonzero(columns == column)
        own = own[np.argsort(positions[own], kind="stable")]
        places = positions[own]
        if len(own) < edge_order + 1 or (np.diff(places) <= 0).any():
            raise ValueError(
                f"a column has {len(own)} channels at {len(np.unique(places))} places; a derivative with edge_order "
                f"{edge_order} needs at least {edge_order + 1} places and one channel at each"
            )
        step = np.gradient(np.eye(len(own)), places, axis=1, edge_order=1 if edge_order == 1 else 2)
        matrix[np.ix_(own, own)] = np.linalg.matrix_power(step, order)
    return matrix


def mean_weights(groups: NDArray[np.integer]) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.int64]]:
    """Weights that turn each channel into the mean of its group, and the first channel of each group.

    Returns
    -------
    neighbors : int32 (channel, k)
        Channels of the group, padded with -1.
    weights : float64 (channel, k)
    first : int64 (group,)
        By group.

    Examples
    --------
    >>> neighbors, weights, first = mean_weights(np.array([0, 1, 0]))
    >>> neighbors.tolist(), weights.tolist(), first.tolist()
    ([[0, 2], [1, -1], [0, 2]], [[0.5, 0.5], [1.0, 0.0], [0.5, 0.5]], [0, 1])
    """
    sizes = np.bincount(groups)
    neighbors = np.full((len(groups), int(sizes.max(initial=1))), -1, np.int32)
    first = np.zeros(len(sizes), np.int64)
    for group in range(len(sizes)):
        own = np.flatnonzero(groups == group)
        neighbors[own, : len(own)] = own
        first[group] = own[0]
    weights = np.where(neighbors >= 0, 1.0 / sizes[groups][:, None], 0.0)
    return neighbors, weights, first
