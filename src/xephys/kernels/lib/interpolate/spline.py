"""Cubic splines, as those of SciPy to the last bit.

The module ``scipy.interpolate`` offers all kinds of them and takes a sixth of a second to import.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_banded


class Spline(NamedTuple):
    """A cubic in each interval between knots.

    Attributes
    ----------
    knots : (n_knots,) float64
        Ascending.
    coefficients : (4, n_knots - 1, n_curves) float64
        Of the cube, the square, the distance from the knot before, and the value there.
    """

    knots: NDArray[np.float64]
    coefficients: NDArray[np.float64]

    def __call__(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values at places, ``(n_places, n_curves)``; outside the knots, the first and the last cubic go on."""
        before = np.clip(np.searchsorted(self.knots, places, side="right") - 1, 0, len(self.knots) - 2)
        s = (places - self.knots[before])[:, None]
        cube, square, slope, value = (c[before] for c in self.coefficients)
        # In this order, in which SciPy adds.
        values: NDArray[np.float64] = value + slope * s + square * (s * s) + cube * (s * s * s)
        return values


def spline_through(knots: NDArray[Any], values: NDArray[np.float64]) -> Spline:
    """The spline through values at knots whose third derivative has no step at the second and the second last knot.

    Parameters
    ----------
    knots : (n_knots,)
        Ascending, at least two.
    values : (n_knots, n_curves) float64
        Finite.

    Returns
    -------
    Spline
        ``scipy.interpolate.CubicSpline`` with its default conditions at the ends.

    Examples
    --------
    >>> curve = spline_through(np.arange(5.0), np.arange(5.0)[:, None] ** 3)
    >>> float(curve(np.array([2.5]))[0, 0])
    15.625
    """
    if len(knots) < 4:  # a straight line or a parabola
        from scipy.interpolate import CubicSpline

        return Spline(np.asarray(knots, np.float64), CubicSpline(knots, values).c)
    knots = np.asarray(knots, np.float64)
    steps = np.diff(knots)
    wide = steps[:, None]
    slopes = np.diff(values, axis=0) / wide
    bands, right = np.zeros((3, len(knots))), np.empty(values.shape)
    bands[1, 1:-1] = 2 * (steps[:-1] + steps[1:])
    bands[0, 2:], bands[2, :-2] = steps[:-1], steps[1:]
    right[1:-1] = 3 * (wide[1:] * slopes[:-1] + wide[:-1] * slopes[1:])
    first, last = knots[2] - knots[0], knots[-1] - knots[-3]
    bands[1, 0], bands[0, 1] = steps[1], first
    bands[1, -1], bands[2, -2] = steps[-2], last
    right[0] = ((wide[0] + 2 * first) * wide[1] * slopes[0] + wide[0] ** 2 * slopes[1]) / first
    right[-1] = (wide[-1] ** 2 * slopes[-2] + (2 * last + wide[-1]) * wide[-2] * slopes[-1]) / last
    at_knots = solve_banded((1, 1), bands, right, overwrite_ab=True, overwrite_b=True, check_finite=False)
    bend = (at_knots[:-1] + at_knots[1:] - 2 * slopes) / wide
    square = (slopes - at_knots[:-1]) / wide - bend
    return Spline(knots, np.stack([bend / wide, square, at_knots[:-1], values[:-1]]))
