"""A step of Levenberg and Marquardt in three unknowns that stay inside a box."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xephys.kernels.lib.inner import INNER


@njit(**INNER, error_model="numpy")
def damped_step(
    gradient: NDArray[np.float64],
    curvature: NDArray[np.float64],
    damping: float,
    place: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    step: NDArray[np.float64],
    free: NDArray[np.float64],
    factor: NDArray[np.float64],
) -> None:
    """Solve (curvature + damping × its diagonal) step = -gradient on the coordinates that may move.

    Parameters
    ----------
    gradient : (3,) float64
    curvature : (3, 3) float64
        Of Gauss and Newton.
    damping : float
    place, low, high : (3,) float64
        Current place, and the corners of the box.
    step : (3,) float64
        Written.
    free, factor : (3,), (3, 3) float64
        Working memory.
    """
    for a in range(3):
        # A coordinate on the box whose gradient points outwards stays there.
        fixed = (place[a] <= low[a] and gradient[a] > 0) or (place[a] >= high[a] and gradient[a] < 0)
        free[a] = 0.0 if fixed else 1.0
    for a in range(3):
        for b in range(a + 1):
            value = curvature[a, b] if free[a] > 0 and free[b] > 0 else 0.0
            if a == b:
                # The floor keeps the matrix definite if a coordinate has no influence (one contact, or a line of them).
                value = max(value, 1e-12) * (1.0 + damping) if free[a] > 0 else 1.0
            for c in range(b):
                value -= factor[a, c] * factor[b, c]
            factor[a, b] = np.sqrt(max(value, 1e-16)) if a == b else value / factor[b, b]
    for a in range(3):
        value = -gradient[a] if free[a] > 0 else 0.0
        for c in range(a):
            value -= factor[a, c] * step[c]
        step[a] = value / factor[a, a]
    for a in range(2, -1, -1):
        value = step[a]
        for c in range(a + 1, 3):
            value -= factor[c, a] * step[c]
        step[a] = value / factor[a, a]
