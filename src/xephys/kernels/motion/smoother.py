"""A random walk of displacement observed through noise: its most probable course, and the certainty of each bin.

The precision matrix of all bins is block tridiagonal, with one block per bin and one row per knot. One forward and one
backward sweep give the solution, the variance of each value and the moments of the steps. Memory and time are linear in
the number of bins.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xephys.kernels.lib.inner import helper

#: Minimum precision per µm² of every bin, so that a walk without any anchor stays solvable.
_RIDGE = 1e-8


@helper
def _copy(values: NDArray[np.floating[Any]], to: NDArray[np.float64]) -> None:
    """``to[...] = values``, which Numba would compile for seconds only to be able to refuse other shapes."""
    for a in range(values.shape[0]):
        for b in range(values.shape[1]):
            to[a, b] = values[a, b]


@njit(cache=True, nogil=True)
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
    inverse = np.zeros((n_times, n_knots, n_knots))
    right = np.zeros((n_times, n_knots))
    for t in range(n_times):
        block = np.zeros((n_knots, n_knots))
        for b in range(n_knots):
            block[b, b] = information[t, b, 0]
            if b + 1 < n_knots:
                block[b, b + 1] = block[b + 1, b] = information[t, b, 1]
        seen = block @ displacement[t]
        for b in range(n_knots):
            right[t, b] = seen[b] + slope[t, b]
            block[b, b] += _RIDGE
        if t + 1 < n_times:
            block = block + step_weight[t + 1] * step_precision
        if t > 0:
            back = step_weight[t] * step_precision
            through = back @ inverse[t - 1]
            block = block + back - through @ back
            brought = through @ right[t - 1]
            for b in range(n_knots):
                right[t, b] += brought[b]
        _copy(np.linalg.inv(0.5 * (block + block.T)), inverse[t])
    course = np.zeros((n_times, n_knots))
    variance = np.zeros((n_times, n_knots))
    size = np.zeros(n_times)
    moment, product = np.zeros((n_knots, n_knots)), np.zeros((n_knots, n_knots))
    last = inverse[-1] @ right[-1]
    covariance = inverse[-1].copy()
    for b in range(n_knots):
        course[-1, b], variance[-1, b] = last[b], covariance[b, b]
    for t in range(n_times - 2, -1, -1):
        gain = inverse[t] @ (step_weight[t + 1] * step_precision)
        own, later = inverse[t] @ right[t], gain @ course[t + 1]
        shared = gain @ covariance
        for a in range(n_knots):
            course[t, a] = own[a] + later[a]
        for a in range(n_knots):
            step = course[t + 1, a] - course[t, a]
            for b in range(n_knots):
                outer = step * (course[t + 1, b] - course[t, b])
                product[a, b] = outer + covariance[a, b] - shared[a, b] - shared[b, a]
        _copy(inverse[t] + shared @ gain.T, covariance)
        for a in range(n_knots):
            variance[t, a] = covariance[a, a]
            for b in range(n_knots):
                product[a, b] += covariance[a, b]
                size[t + 1] += product[a, b] * step_precision[a, b]
                moment[a, b] += step_weight[t + 1] * product[a, b]
    return course, variance, size, moment
