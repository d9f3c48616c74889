"""Kriging: values between contacts as weighted sums of those on the contacts.

The covariance is Matérn 5/2, smooth enough for footprints of neurons and, unlike a Gaussian, well conditioned.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["interpolation_weights", "matern"]

#: Length scale of the covariance. Shorter ones lose footprints between rows 20 µm apart, longer ones blur them.
LENGTH_UM = 25.0
#: Variance of the noise in a value, relative to that of the signal.
NUGGET = 0.02


def matern(distance_um: NDArray[np.float64], *, length_um: float = LENGTH_UM) -> NDArray[np.float64]:
    """Matérn 5/2 covariance.

    Examples
    --------
    >>> matern(np.array([0.0, 25.0])).round(3).tolist()
    [1.0, 0.524]
    """
    scaled = np.sqrt(5.0) * distance_um / length_um
    return np.asarray((1.0 + scaled + scaled**2 / 3.0) * np.exp(-scaled))


def interpolation_weights(
    known_um: NDArray[np.float64], wanted_um: NDArray[np.float64], *, length_um: float = LENGTH_UM
) -> NDArray[np.float64]:
    """Weights ``(wanted, known)`` of the values at known places for those at wanted places; 0 far from all contacts.

    Examples
    --------
    >>> line = np.array([[0.0, 0.0], [0.0, 20.0], [0.0, 40.0]])
    >>> weights = interpolation_weights(line, line)
    >>> weights.shape, bool(np.abs(weights - np.eye(3)).max() < 0.1)
    ((3, 3), True)
    """
    among = matern(np.linalg.norm(known_um[:, None] - known_um[None], axis=2), length_um=length_um)
    across = matern(np.linalg.norm(wanted_um[:, None] - known_um[None], axis=2), length_um=length_um)
    weights = np.linalg.solve(among + NUGGET * np.eye(len(known_um)), across.T)
    return np.ascontiguousarray(weights.T)
