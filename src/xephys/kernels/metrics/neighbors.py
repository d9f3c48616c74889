"""Nearest neighbors among rows, all against all, in blocks of distances of which only the smallest are kept."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

#: Number of rows whose distances are in memory at a time.
_BLOCK = 512


def nearest_rows(rows: NDArray[np.float32], *, n_neighbors: int) -> NDArray[np.int64]:
    """The nearest other rows of each row, nearest first.

    Parameters
    ----------
    rows : (n, feature) float32
    n_neighbors : int
        At most n - 1.

    Returns
    -------
    (n, n_neighbors) int64
        Ties go to the row with the smaller number.

    Examples
    --------
    >>> nearest_rows(np.float32([[0], [1], [3]]), n_neighbors=1).ravel().tolist()
    [1, 0, 1]
    """
    values = np.ascontiguousarray(rows - rows.mean(axis=0), np.float32)
    norms = np.einsum("nf,nf->n", values, values)
    out = np.empty((len(values), n_neighbors), np.int64)
    for first in range(0, len(values), _BLOCK):
        block = values[first : first + _BLOCK]
        distances = norms[None] - 2 * (block @ values.T)
        out[first : first + _BLOCK] = _smallest(distances, first, n_neighbors)
    return out


@njit(nogil=True, cache=True)
def _smallest(distances: NDArray[np.float32], first: int, n_neighbors: int) -> NDArray[np.int64]:
    """Columns of the smallest values of each row, excluding the row itself."""
    found = np.empty((distances.shape[0], n_neighbors), np.int64)
    best = np.empty(n_neighbors, np.float32)
    for i in range(distances.shape[0]):
        best[:] = np.inf
        for j in range(distances.shape[1]):
            value = distances[i, j]
            if value >= best[n_neighbors - 1] or j == first + i:
                continue
            k = n_neighbors - 1
            while k > 0 and best[k - 1] > value:
                best[k] = best[k - 1]
                found[i, k] = found[i, k - 1]
                k -= 1
            best[k] = value
            found[i, k] = j
    return found
