"""Non-negative least squares of a few variables: a call of LAPACK would take longer than all of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import empty, zeros
from xephys.kernels.lib.inner import helper, kernel

#: Maximum number of steps of the active set, per variable, as in Lawson and Hanson (1974).
_STEPS_A_VARIABLE = 3


@kernel
def nonnegative(gram: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Non-negative least squares from the normal equations, by the active set of Lawson and Hanson (1974).

    Examples
    --------
    >>> nonnegative(np.eye(2), np.array([2.0, -1.0])).round(6).tolist()
    [2.0, 0.0]
    """
    n = target.size
    x, solved, factor = zeros(n), empty(n), empty((n, n))
    index = empty(n, np.int64)
    free = zeros(n, np.bool_)
    largest = 1e-300
    for a in range(n):
        largest = max(largest, abs(target[a]))
    for _ in range(_STEPS_A_VARIABLE * n):
        best, best_slope = -1, 1e-10 * largest
        for a in range(n):
            if free[a] or not gram[a, a] > 0:
                continue
            slope = target[a]
            for b in range(n):
                slope -= gram[a, b] * x[b]
            if slope > best_slope:
                best, best_slope = a, slope
        if best < 0:
            break
        free[best] = True
        while True:
            n_free = 0
            for a in range(n):
                if free[a]:
                    index[n_free] = a
                    n_free += 1
            _solve(gram, target, index[:n_free], factor, solved)
            step, bound = 2.0, -1
            for a in range(n_free):
                if solved[a] <= 0:
                    ratio = x[index[a]] / (x[index[a]] - solved[a] + 1e-300)
                    if ratio < step:
                        step, bound = ratio, a
            if bound < 0:
                x[:] = 0.0
                for a in range(n_free):
                    x[index[a]] = solved[a]
                break
            for a in range(n_free):
                x[index[a]] += step * (solved[a] - x[index[a]])
                if a == bound or x[index[a]] <= 0:
                    x[index[a]] = 0.0
                    free[index[a]] = False
            n_left = 0
            for a in range(n):
                n_left += free[a]
            if n_left == 0:
                break
    return x


@helper
def _solve(
    gram: NDArray[np.float64],
    target: NDArray[np.float64],
    index: NDArray[np.int64],
    factor: NDArray[np.float64],
    solved: NDArray[np.float64],
) -> None:
    """Solution for some of the variables, by Cholesky's factors of a few rows: a call of LAPACK would take longer."""
    for a in range(index.size):
        for b in range(a + 1):
            value = gram[index[a], index[b]]
            if a == b:
                value *= 1.0 + 1e-12  # two copies of one template have no unique solution
            for c in range(b):
                value -= factor[a, c] * factor[b, c]
            factor[a, b] = np.sqrt(max(value, 1e-13 * gram[index[a], index[a]])) if a == b else value / factor[b, b]
    for a in range(index.size):
        value = target[index[a]]
        for c in range(a):
            value -= factor[a, c] * solved[c]
        solved[a] = value / factor[a, a]
    for a in range(index.size - 1, -1, -1):
        value = solved[a]
        for c in range(a + 1, index.size):
            value -= factor[c, a] * solved[c]
        solved[a] = value / factor[a, a]
