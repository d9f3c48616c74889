"""Maximum spanning tree of a dense similarity matrix that is read block by block, never held.

Single linkage needs no more than this tree. A block of rows and the forest of the rows before it are reduced to a new
forest by Borůvka's rounds, so that memory grows with the units times the rows of a block. Equal similarities are told
apart by the numbers of their units; the tree is therefore the same for any size of the blocks.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import empty
from xephys.kernels.lib.inner import helper, kernel

#: Rows that are read at once.
BLOCK = 256


def spanning_tree(
    rows: Callable[[int, int], NDArray[np.float64]], n_units: int, *, block: int = BLOCK
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Edges of the maximum spanning tree.

    Parameters
    ----------
    rows
        ``rows(start, stop)`` returns those rows of the symmetric matrix, ``(stop - start, n_units)``.
    n_units
    block
        Number of rows that are read at once.

    Returns
    -------
    first, second : (n_units - 1,) int64
    similarity : (n_units - 1,) float64

    Examples
    --------
    >>> matrix = np.array([[6.0, 1, 3], [1, 6, 2], [3, 2, 6]])
    >>> first, second, similarity = spanning_tree(lambda start, stop: matrix[start:stop], 3)
    >>> sorted(zip(first.tolist(), second.tolist(), similarity.tolist(), strict=True))
    [(0, 2, 3.0), (1, 2, 2.0)]
    """
    first, second = np.empty(0, np.int64), np.empty(0, np.int64)
    similarity = np.empty(0, np.float64)
    for start in range(0, n_units, block):
        values = np.ascontiguousarray(rows(start, min(start + block, n_units)), np.float64)
        first, second, similarity = _reduced(first, second, similarity, values, start, n_units)
    return first, second, similarity


@helper
def _is_better(s: float, i: int, j: int, best_s: float, best_i: int, best_j: int) -> bool:
    if s != best_s:
        return s > best_s
    return best_i < 0 or (i, j) < (best_i, best_j)


@helper
def _root(parent: NDArray[np.int64], unit: int) -> int:
    while parent[unit] != unit:
        parent[unit] = parent[parent[unit]]
        unit = parent[unit]
    return unit


@kernel
def _reduced(
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    similarity: NDArray[np.float64],
    values: NDArray[np.float64],
    start: int,
    n_units: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Forest of the edges of an earlier forest and of the upper triangle of a block of rows."""
    parent, part = np.arange(n_units), np.arange(n_units)
    best = empty(n_units, np.float64)
    best_i, best_j = empty(n_units, np.int64), empty(n_units, np.int64)
    out_i, out_j = empty(n_units, np.int64), empty(n_units, np.int64)
    out_s = empty(n_units, np.float64)
    n_out = 0
    while True:
        best[:] = -np.inf
        best_i[:] = -1
        for k in range(first.size):
            i, j, s = first[k], second[k], similarity[k]
            if part[i] != part[j]:
                for p in (part[i], part[j]):
                    if _is_better(s, i, j, best[p], best_i[p], best_j[p]):
                        best[p], best_i[p], best_j[p] = s, i, j
        for r in range(values.shape[0]):
            i = start + r
            own = part[i]
            for j in range(i + 1, n_units):
                other = part[j]
                if own == other:
                    continue
                s = values[r, j]
                if s >= best[own] and _is_better(s, i, j, best[own], best_i[own], best_j[own]):
                    best[own], best_i[own], best_j[own] = s, i, j
                if s >= best[other] and _is_better(s, i, j, best[other], best_i[other], best_j[other]):
                    best[other], best_i[other], best_j[other] = s, i, j
        n_before = n_out
        for p in range(n_units):
            if best_i[p] >= 0:
                a, b = _root(parent, best_i[p]), _root(parent, best_j[p])
                if a != b:
                    parent[max(a, b)] = min(a, b)
                    out_i[n_out], out_j[n_out], out_s[n_out] = best_i[p], best_j[p], best[p]
                    n_out += 1
        if n_out == n_before:
            break
        for unit in range(n_units):
            part[unit] = _root(parent, unit)
    return out_i[:n_out].copy(), out_j[:n_out].copy(), out_s[:n_out].copy()
