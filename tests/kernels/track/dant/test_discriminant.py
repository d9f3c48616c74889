"""Sums that are collected block by block give the discriminant of all pairs."""

import numpy as np
import pytest

from xephys.kernels.track.dant.discriminant import discriminant, pair_sums


@pytest.mark.parametrize("block", [1, 7, 30])
def test_coefficients_are_those_of_all_near_pairs(block):
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    rng = np.random.default_rng(0)
    label, depth = rng.integers(-1, 8, 30), rng.uniform(0, 200, 30)
    values = rng.standard_normal((2, 30, 30)) + 2 * ((label[:, None] == label[None]) & (label >= 0))
    sums = pair_sums(list(values), depth, 100.0, label, block=block)
    i, j = np.nonzero(np.triu(np.abs(depth[:, None] - depth[None]) <= 100, 1))
    same = (label[i] == label[j]) & (label[i] >= 0)
    expected = LinearDiscriminantAnalysis().fit(values[:, i, j].T, same)
    coefficients, constant = discriminant(sums)
    np.testing.assert_allclose(coefficients, expected.coef_[0], rtol=1e-9)
    np.testing.assert_allclose(constant, expected.intercept_[0], rtol=1e-9)


@pytest.mark.parametrize("missing", [0, 1])
def test_one_class_teaches_nothing(missing):
    sums = np.array([[5.0, 1.0, 2.0], [5.0, 9.0, 20.0]])
    sums[missing] = 0.0
    assert discriminant(sums) is None


def test_alike_pairs_teach_nothing():
    assert discriminant(np.array([[5.0, 0.0, 0.0], [5.0, 5.0, 5.0]])) is None
