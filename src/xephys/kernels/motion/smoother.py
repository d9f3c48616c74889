"""A displacement that walks at random, seen through noise: its most probable course, and how certain each bin is.

The precision matrix of all bins is block tridiagonal, with one block per bin and a row per knot. One sweep forwards
and one backwards give the solution, the variance of each value and the moments of the steps: time and memory are
linear in the number of bins.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

#: Precision per µm² that every bin has anyway, so that a walk that nothing anchors stays solvable.
_RIDGE = 1e-8


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
        ``(time, knot)``: of the log likelihood at ``displacement``.
    information
        ``(time, knot, 2)``: of each knot, and shared with the next one.
    displacement
        ``(time, knot)``, the present course.
    step_precision
        ``(knot, knot)``: inverse covariance of a step from one bin to the next.
    step_weight
        ``(time,)``: factor of that precision for the step into each bin; that of the first bin is not used.

    Returns
    -------
    course
        ``(time, knot)``.
    variance
        Of each value.
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
        right[t] = block @ displacement[t] + slope[t]
        for b in range(n_knots):
            block[b, b] += _RIDGE
        if t + 1 < n_times:
            block = block + step_weight[t + 1] * step_precision
        if t > 0:
            back = step_weight[t] * step_precision
            through = back @ inverse[t - 1]
            block = block + back - through @ back
            right[t] += through @ right[t - 1]
        inverse[t] = np.linalg.inv(0.5 * (block + block.T))
    course = np.zeros((n_times, n_knots))
    variance = np.zeros((n_times, n_knots))
    size = np.zeros(n_times)
    moment = np.zeros((n_knots, n_knots))
    course[-1] = inverse[-1] @ right[-1]
    covariance = inverse[-1].copy()
    variance[-1] = np.diag(covariance)
    for t in range(n_times - 2, -1, -1):
        gain = inverse[t] @ (step_weight[t + 1] * step_precision)
        course[t] = inverse[t] @ right[t] + gain @ course[t + 1]
        shared = gain @ covariance
        step = course[t + 1] - course[t]
        product = np.outer(step, step) + covariance - shared - shared.T
        covariance = inverse[t] + shared @ gain.T
        variance[t] = np.diag(covariance)
        product += covariance
        size[t + 1] = (product * step_precision).sum()
        moment += step_weight[t + 1] * product
    return course, variance, size, moment
