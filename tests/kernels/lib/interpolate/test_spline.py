"""Cubic splines, against SciPy's: equal bits, since what they interpolate decides between spikes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from xephys.kernels.lib.interpolate.spline import spline_through


@pytest.mark.parametrize("n_knots", [2, 3, 4, 5, 12, 90])
@pytest.mark.parametrize("even", [True, False])
def test_values_are_those_of_scipy_to_the_last_bit(n_knots, even):
    rng = np.random.default_rng(n_knots)
    knots = np.arange(n_knots) * 20.0 if even else np.cumsum(rng.uniform(0.1, 3.0, n_knots))
    values = rng.standard_normal((n_knots, 7))
    places = np.concatenate([knots, rng.uniform(knots[0] - 1, knots[-1] + 1, 500)])
    found = spline_through(knots, values)(places)
    np.testing.assert_array_equal(found, CubicSpline(knots, values)(places))


def test_whole_numbers_are_accepted_as_knots():
    values = np.arange(6.0)[:, None] ** 2
    np.testing.assert_array_equal(spline_through(np.arange(6), values)(np.array([1.5])), [[2.25]])
