"""Exponential fits beside SciPy's bounded fit of the same curve."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import curve_fit

from xephys.kernels.metrics.exponential_decay import DECAY, OFFSET, SIZE, fit_decay


def curve(x, decay, size, offset):
    return size * np.exp(-decay * x) + offset


def reference(x, y):
    """Decay and explained share by SciPy's trust region, which begins at the same place."""
    bounds = np.transpose([DECAY, np.multiply(SIZE, y[0]), np.multiply(OFFSET, y.min())])
    exact = {"ftol": 1e-14, "xtol": 1e-14, "gtol": 1e-14, "max_nfev": 5000}
    fitted, _ = curve_fit(curve, x, y, bounds=bounds, p0=[1e-3, y[0], y.min()], **exact)
    return fitted[0], 1 - ((y - curve(x, *fitted)) ** 2).sum() / ((y - y.mean()) ** 2).sum()


@pytest.mark.parametrize("seed", range(20))
def test_equal_to_scipys_fit(seed):
    """Also where the best curve lies on a bound, as with much noise."""
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(0, 110, 18))
    x[0] = 0.0
    y = curve(x, 10 ** rng.uniform(-2.2, -1), 100.0, rng.uniform(1, 20)) * rng.lognormal(0, 0.02 * (seed % 5), 18)
    y[0] = y.max()
    decay, explained = fit_decay(x, y)
    expected, share = reference(x, y)
    assert explained >= share - 1e-9
    if explained < share + 1e-9:  # otherwise SciPy has stopped before the minimum
        assert decay == pytest.approx(expected, rel=1e-4)


def test_values_without_room_for_an_offset_have_no_fit():
    assert np.isnan(fit_decay(np.arange(4.0), np.array([3.0, 2.0, 1.0, 0.0]))[0])


def test_equal_values_are_explained_by_nothing():
    assert fit_decay(np.arange(4.0), np.full(4, 2.0))[1] == 0.0
