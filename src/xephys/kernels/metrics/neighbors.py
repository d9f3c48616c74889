"""Find the nearest neighbors of rows, comparing all with all in blocks; only the smallest distances are kept."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xephys.kernels.lib.inner import helper

#: Number of rows per block; the distances between two blocks are in memory at a time.
_BLOCK = 512
#: Number of distances that are tested together before each one is looked at.
_LANES = 32


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
    n = len(values)
    best, found = np.full((n, n_neighbors), np.inf, np.float32), np.empty((n, n_neighbors), np.int64)
    limits = np.full(n, np.inf, np.float32)
    for first in range(0, n, _BLOCK):
        block = -2 * values[first : first + _BLOCK]
        for second in range(first, n, _BLOCK):  # each product serves both rows
            products = block @ values[second : second + _BLOCK].T
            _keep_smallest(products, norms, first, second, best, found, limits)
    return found


@njit(nogil=True, cache=True)
def _keep_smallest(
    products: NDArray[np.float32],
    norms: NDArray[np.float32],
    first: int,
    second: int,
    best: NDArray[np.float32],
    found: NDArray[np.int64],
    limits: NDArray[np.float32],
) -> None:
    """Update the neighbors of two blocks of rows with each other.

    Each row meets the others in ascending order, so ties go to the first. ``limits`` holds the largest kept distance of
    each row, contiguously, so that many can be compared at a time.
    """
    n_rows, n_columns = products.shape
    for i in range(n_rows):
        row, norm, line = first + i, norms[first + i], products[i]
        for start in range(0, n_columns, _LANES):
            # Slices, because LLVM does not vectorize a loop over indices that might be negative.
            part = line[start : start + _LANES]
            their_norms = norms[second + start : second + start + part.size]
            limit, n_closer = limits[row], 0
            for j in range(part.size):
                n_closer += their_norms[j] + part[j] < limit
            if n_closer:
                for j in range(part.size):
                    other, value = second + start + j, their_norms[j] + part[j]
                    if value < limits[row] and other != row:
                        _insert(best[row], found[row], value, other)
                        limits[row] = best[row, -1]
            if first == second:
                continue
            their_limits, n_closer = limits[second + start : second + start + part.size], 0
            for j in range(part.size):
                n_closer += norm + part[j] < their_limits[j]
            if n_closer:
                for j in range(part.size):
                    other, value = second + start + j, norm + part[j]
                    if value < their_limits[j]:
                        _insert(best[other], found[other], value, row)
                        their_limits[j] = best[other, -1]


@helper
def _insert(best: NDArray[np.float32], found: NDArray[np.int64], value: float, number: int) -> None:
    """Insert a distance into the sorted ones, after equal ones, and drop the largest."""
    k = len(best) - 1
    while k > 0 and best[k - 1] > value:
        best[k] = best[k - 1]
        found[k] = found[k - 1]
        k -= 1
    best[k] = value
    found[k] = number
