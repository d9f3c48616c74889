"""Fit an exponential decay with an offset to a few points, within bounds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import copy_values, empty
from xephys.kernels.lib.damped_step import damped_step
from xephys.kernels.lib.inner import helper, kernel

#: Bounds of the decay, in the inverse unit of ``x``; the size relative to the first value, and the offset relative to
#: the smallest one.
DECAY, SIZE, OFFSET = (1e-5, 2.0), (0.5, 1.5), (0.0, 2.0)
#: Decay at which the fit begins.
_FIRST_DECAY = 1e-3
_STEPS_MAX, _STEP_MIN = 1000, 1e-9


@kernel
def fit_decay(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """The decay ``k`` in ``y = size * exp(-k x) + offset`` by least squares, and the share of the variance it explains.

    Levenberg–Marquardt steps from a flat curve, kept inside the bounds.

    Parameters
    ----------
    x, y : (n,) float64
        ``y`` is positive, and ``y[0]`` is not far from the largest.

    Returns
    -------
    decay : float
        NaN if the smallest value is 0, as the offset then has no room between its bounds.
    explained : float
        0 if all values are equal.

    Examples
    --------
    >>> x = np.arange(10) * 20.0
    >>> decay, explained = fit_decay(x, 100 * np.exp(-x / 50) + 5)
    >>> round(decay, 6), round(explained, 6)
    (0.02, 1.0)
    """
    largest, smallest, variance = y.max(), y.min(), ((y - y.mean()) ** 2).sum()
    if not smallest > 0:
        return np.nan, 0.0
    values = y / largest  # so that all three unknowns are of a similar size
    low, high, place, trial, step = empty(3), empty(3), empty(3), empty(3), empty(3)
    low[0], high[0] = DECAY
    low[1], high[1] = SIZE[0] * values[0], SIZE[1] * values[0]
    low[2], high[2] = OFFSET[0], OFFSET[1] * smallest / largest
    place[0], place[1], place[2] = _FIRST_DECAY, values[0], smallest / largest
    gradient, curvature = empty(3), empty((3, 3))
    trial_gradient, trial_curvature = empty(3), empty((3, 3))
    free, factor = empty(3), empty((3, 3))
    loss = _expand(x, values, place, gradient, curvature)
    damping = 1e-3
    for _ in range(_STEPS_MAX):
        damped_step(gradient, curvature, damping, place, low, high, step, free, factor)
        longest = 0.0
        for a in range(3):
            trial[a] = min(max(place[a] + step[a], low[a]), high[a])
            longest = max(longest, abs(trial[a] - place[a]) / (high[a] if a else place[a]))
        trial_loss = _expand(x, values, trial, trial_gradient, trial_curvature)
        if trial_loss < loss:
            loss = trial_loss
            copy_values(trial, place)
            copy_values(trial_gradient, gradient)
            copy_values(trial_curvature.reshape(-1), curvature.reshape(-1))
            damping = max(damping * 0.2, 1e-9)
        else:
            damping *= 8
        # A short step ends the search, whether or not rounding let it lower the loss.
        if longest < _STEP_MIN:
            break
    return place[0], 1.0 - loss * largest * largest / variance if variance > 0 else 0.0


@helper
def _expand(
    x: NDArray[np.float64],
    values: NDArray[np.float64],
    place: NDArray[np.float64],
    gradient: NDArray[np.float64],
    curvature: NDArray[np.float64],
) -> float:
    """Sum of the squared differences; fills in half its gradient and the Gauss–Newton curvature."""
    gradient[:] = 0.0
    curvature[:] = 0.0
    loss = 0.0
    slopes = np.ones(3)
    for i in range(x.size):
        slopes[1] = np.exp(-place[0] * x[i])
        slopes[0] = -place[1] * x[i] * slopes[1]
        apart = place[1] * slopes[1] + place[2] - values[i]
        loss += apart * apart
        for a in range(3):
            gradient[a] += slopes[a] * apart
            for b in range(3):
                curvature[a, b] += slopes[a] * slopes[b]
    return loss
