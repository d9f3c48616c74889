"""Kriging equals its equations, and reproduces what it must."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern

from xephys.kernels.lib.interpolate.kriging import LENGTH_UM, NUGGET, interpolation_weights, matern

KNOWN = np.random.default_rng(0).uniform(0, 100, (12, 2))
WANTED = np.random.default_rng(1).uniform(0, 100, (5, 2))


def test_covariance_is_that_of_scikit_learn():
    distances = np.linalg.norm(WANTED[:, None] - KNOWN[None], axis=2)
    expected = Matern(length_scale=LENGTH_UM, nu=2.5)(WANTED, KNOWN)
    np.testing.assert_allclose(matern(distances), expected, rtol=1e-6)


@pytest.mark.parametrize("length_um", [15.0, LENGTH_UM])
def test_weights_predict_as_a_gaussian_process(length_um):
    values = np.sin(KNOWN[:, 0] / 20) + np.cos(KNOWN[:, 1] / 30)
    process = GaussianProcessRegressor(Matern(length_scale=length_um, nu=2.5), alpha=NUGGET, optimizer=None)
    expected = process.fit(KNOWN, values).predict(WANTED)
    weights = interpolation_weights(KNOWN, WANTED, length_um=length_um)
    np.testing.assert_allclose(weights @ values, expected, rtol=1e-6, atol=1e-9)


def test_far_from_contacts_the_value_is_zero():
    assert np.abs(interpolation_weights(KNOWN, KNOWN + 5000.0)).max() < 1e-9
