"""Weights of similarities by Fisher's linear discriminant, from sums that are collected block by block."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.inner import kernel

#: Directions in which pairs of one class vary less than this do not count.
TOLERANCE = 1e-4


def pair_sums(
    matrices: Sequence[NDArray[np.floating]],
    depth: NDArray[np.float64],
    distance_max_um: float,
    label: NDArray[np.int64],
    *,
    block: int,
) -> NDArray[np.float64]:
    """Numbers, sums and products of the similarities of near pairs by class, from matrices read block by block.

    Parameters
    ----------
    matrices : sequence of (unit, unit)
    depth, distance_max_um, label
        As in :func:`add_pair_sums`.
    block
        Number of rows that are read at once.

    Returns
    -------
    (2, 1 + feature + feature * feature)
        Added up unit by unit, so that they do not depend on the blocks.
    """
    n_units, n_features = len(label), len(matrices)
    sums = np.zeros((n_units, 2, 1 + n_features + n_features**2))
    for start in range(0, n_units, block):
        stop = min(start + block, n_units)
        values = np.stack([np.asarray(matrix[start:stop], np.float64) for matrix in matrices])
        add_pair_sums(sums, values, start, depth, distance_max_um, label)
    return np.asarray(sums.sum(axis=0))


@kernel
def add_pair_sums(
    sums: NDArray[np.float64],
    values: NDArray[np.float64],
    start: int,
    depth: NDArray[np.float64],
    distance_max_um: float,
    label: NDArray[np.int64],
) -> None:
    """Add the numbers, sums and products of the similarities of near pairs, row by row and by class.

    Parameters
    ----------
    sums : (unit, 2, 1 + feature + feature * feature)
        Second index 1 for pairs of one cluster, 0 for others.
    values : (feature, row, unit)
        Rows of the similarity matrices, from unit ``start`` on.
    start : int
    depth : (unit,)
        Registered depth in µm.
    distance_max_um : float
    label : (unit,)
        Cluster of each unit, -1 for none.
    """
    n_features, n_rows, n_units = values.shape
    for r in range(n_rows):
        i = start + r
        for j in range(i + 1, n_units):
            if abs(depth[i] - depth[j]) > distance_max_um:
                continue
            row = sums[i, 1 if label[i] == label[j] and label[i] >= 0 else 0]
            row[0] += 1.0
            for f in range(n_features):
                row[1 + f] += values[f, r, j]
                for g in range(n_features):
                    row[1 + n_features + f * n_features + g] += values[f, r, j] * values[g, r, j]


def discriminant(sums: NDArray[np.float64]) -> tuple[NDArray[np.float64], float] | None:
    """Coefficients and constant of the log odds of "one cluster"; None where a class has no pairs or all are alike.

    Parameters
    ----------
    sums : (2, 1 + feature + feature * feature)
        Sums over the units of :func:`add_pair_sums`.

    Examples
    --------
    >>> sums = np.array([[4.0, 0.0, 4.0], [4.0, 16.0, 68.0]])
    >>> coefficients, constant = discriminant(sums)
    >>> coefficients.round(6).tolist(), round(constant, 6)
    ([4.0], -8.0)
    """
    n_features = int((np.sqrt(4 * sums.shape[1] - 3) - 1) / 2)
    counts = sums[:, 0]
    if counts.min() < 1 or counts.sum() < 3:
        return None
    mean = sums[:, 1 : 1 + n_features] / counts[:, None]
    within = np.zeros((n_features, n_features))
    for k in range(2):
        product = sums[k, 1 + n_features :].reshape(n_features, n_features)
        within += product - counts[k] * np.outer(mean[k], mean[k])
    within /= counts.sum()
    spread = np.sqrt(np.maximum(np.diag(within), 0.0))
    spread[spread < 1e-9] = 1.0
    sizes, axes = np.linalg.eigh(within / np.outer(spread, spread))
    kept = sizes > TOLERANCE**2
    if not kept.any():
        return None
    inverse = (axes[:, kept] / sizes[kept]) @ axes[:, kept].T / np.outer(spread, spread)
    coefficients = inverse @ (mean[1] - mean[0])
    constant = float(-0.5 * (mean[0] + mean[1]) @ coefficients + np.log(counts[1] / counts[0]))
    return np.asarray(coefficients), constant
