"""A random walk of displacement observed through noise: its most probable course, and the certainty of each bin.

The precision matrix of all bins is block tridiagonal, with one block per bin and one row per knot. One forward and one
backward sweep give the solution, the variance of each value and the moments of the steps. Memory and time are linear in
the number of bins.

Where no bin holds a knot, hardly anything but the steps does, and those are precise: differences between their
precision and what is left of it would be rounding errors. Neither sweep takes such differences.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import zeros
from xephys.kernels.lib.inner import inner, kernel

#: Minimum precision per µm² of every bin, so that a walk without any anchor stays solvable.
_RIDGE = 1e-8


@inner
def _invert(matrix: NDArray[np.float64]) -> None:
    """Replace a symmetric, positive definite matrix by its inverse (Gauss-Jordan elimination).

    This and the next functions are loops because Numba takes seconds to compile calls of LAPACK and BLAS, which gain
    nothing on a few knots.
    """
    n = matrix.shape[0]
    for k in range(n):
        scale = 1.0 / matrix[k, k]
        matrix[k, k] = 1.0
        for j in range(n):
            matrix[k, j] *= scale
        for i in range(n):
            if i != k:
                factor = matrix[i, k]
                matrix[i, k] = 0.0
                for j in range(n):
                    matrix[i, j] -= factor * matrix[k, j]


@inner
def _multiply(factor: float, left: NDArray[np.float64], right: NDArray[np.float64], to: NDArray[np.float64]) -> None:
    """``to = factor * left @ right``."""
    for a in range(left.shape[0]):
        for b in range(right.shape[1]):
            total = 0.0
            for c in range(right.shape[0]):
                total += left[a, c] * right[c, b]
            to[a, b] = factor * total


@inner
def _row_times(matrix: NDArray[np.float64], a: int, vector: NDArray[np.float64]) -> float:
    """Scalar product of row ``a`` of the matrix and a vector."""
    total = 0.0
    for c in range(vector.size):
        total += matrix[a, c] * vector[c]
    return total


@kernel
def smooth_walk(
    slope: NDArray[np.float64],
    information: NDArray[np.float64],
    displacement: NDArray[np.float64],
    step_precision: NDArray[np.float64],
    step_weight: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """One Newton step of the whole course.

    Parameters
    ----------
    slope
        ``(time, knot)``: slope of the log likelihood at ``displacement``.
    information
        ``(time, knot, 2)``: information of each knot, and shared with the next one.
    displacement
        ``(time, knot)``, the current course.
    step_precision
        ``(knot, knot)``: inverse covariance of a step from one bin to the next.
    step_weight
        ``(time,)``: factor on that precision for the step into each bin; the first value is not used.

    Returns
    -------
    course
        ``(time, knot)``.
    variance
        Variance of each value.
    step_size
        ``(time,)``: expected squared length of the step into each bin, in units of ``step_precision``.
    step_moment
        ``(knot, knot)``: sum of the expected outer products of the steps, times their weights.
    """
    n_times, n_knots = slope.shape
    inverse = zeros((n_times, n_knots, n_knots))
    right, course, variance = zeros((n_times, n_knots)), zeros((n_times, n_knots)), zeros((n_times, n_knots))
    size = zeros(n_times)
    moment, left = zeros((n_knots, n_knots)), zeros((n_knots, n_knots))
    gain, shared = zeros((n_knots, n_knots)), zeros((n_knots, n_knots))
    known = zeros((n_knots, n_knots))  # precision of a bin by itself and all bins before it
    for t in range(n_times):
        block, seen = inverse[t], right[t]
        for b in range(n_knots):
            block[b, b] = information[t, b, 0]
            if b + 1 < n_knots:
                block[b, b + 1] = block[b + 1, b] = information[t, b, 1]
        for b in range(n_knots):
            seen[b] = _row_times(block, b, displacement[t]) + slope[t, b]
            block[b, b] += _RIDGE
        if t > 0:
            _multiply(step_weight[t], step_precision, inverse[t - 1], gain)
            _multiply(1.0, gain, known, shared)
            for a in range(n_knots):
                seen[a] += _row_times(gain, a, right[t - 1])
                for b in range(n_knots):
                    block[a, b] += 0.5 * (shared[a, b] + shared[b, a])
        for a in range(n_knots):
            for b in range(n_knots):
                known[a, b] = block[a, b]
                if t + 1 < n_times:
                    block[a, b] += step_weight[t + 1] * step_precision[a, b]
        _invert(block)
    covariance = inverse[n_times - 1].copy()
    for b in range(n_knots):
        course[n_times - 1, b] = _row_times(covariance, b, right[n_times - 1])
        variance[n_times - 1, b] = covariance[b, b]
    for t in range(n_times - 2, -1, -1):
        _multiply(step_weight[t + 1], inverse[t], step_precision, gain)
        for a in range(n_knots):
            course[t, a] = _row_times(inverse[t], a, right[t]) + _row_times(gain, a, course[t + 1])
            for b in range(n_knots):
                left[a, b] = (1.0 if a == b else 0.0) - gain[a, b]  # what a step takes of the later bin's error
        _multiply(1.0, left, covariance, shared)
        for a in range(n_knots):
            step = course[t + 1, a] - course[t, a]
            for b in range(n_knots):
                outer = step * (course[t + 1, b] - course[t, b])
                product = outer + inverse[t, a, b] + _row_times(shared, a, left[b])
                size[t + 1] += product * step_precision[a, b]
                moment[a, b] += step_weight[t + 1] * product
        _multiply(1.0, gain, covariance, shared)
        for a in range(n_knots):
            for b in range(n_knots):
                covariance[a, b] = inverse[t, a, b] + _row_times(shared, a, gain[b])
            variance[t, a] = covariance[a, a]
    return course, variance, size, moment
