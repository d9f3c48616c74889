"""Interpolation of bad channels on a device."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.dispatch import as_index, resident
from xephys.kernels.preprocess.bad_channels import checked_neighbors


def interpolate_channels(
    xp: Any,
    traces: Any,
    *,
    before: int = 0,
    after: int = 0,
    neighbors: NDArray[np.integer],
    weights: NDArray[np.floating],
    bad: NDArray[np.integer],
) -> Any:
    """As `xephys.kernels.preprocess.bad_channels.interpolate_channels`; bad channels are a product with all others."""
    filled = traces[before : len(traces) - after].astype(np.float32)
    matrix = resident(xp, interpolation_matrix, neighbors, weights, bad, channels=traces.shape[1])
    filled[:, resident(xp, as_index, bad)] = xp.matmul(filled, matrix)
    return filled


def interpolation_matrix(
    neighbors: NDArray[np.integer], weights: NDArray[np.floating], bad: NDArray[np.integer], *, channels: int
) -> NDArray[np.float32]:
    """Weights of all channels (channel, bad channel).

    Raises
    ------
    ValueError
        If shapes disagree, an index is out of range, or a neighbor is bad.

    Examples
    --------
    >>> interpolation_matrix(np.array([[0, 2]]), np.array([[0.5, 0.5]]), np.array([1]), channels=3).tolist()
    [[0.5], [0.0], [0.5]]
    """
    broken, near = checked_neighbors(neighbors, weights, bad, channels=channels)
    matrix = np.zeros((channels, len(broken)), np.float32)
    for row in range(len(broken)):
        used = near[row] >= 0
        np.add.at(matrix[:, row], near[row, used], weights[row, used])
    return matrix
