"""Whitening: matrices follow their definition, and their application equals NumPy in float64."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.whitening import correlated, covariance_of
from xephys.kernels.lib.mixing import mix_channels, pack_dense
from xephys.kernels.preprocess.whiten import whitening_matrix_global, whitening_matrix_local


def test_covariance_sums_add_up_in_double_precision():
    traces = correlated(9000, 12) + np.float32(3000)
    np.testing.assert_allclose(covariance_of(traces), np.cov(traces.T.astype("float64"), bias=True), atol=1e-6)


def test_global_whitening_gives_the_identity():
    traces = correlated(20_000, 24)
    matrix = whitening_matrix_global(covariance_of(traces))
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-12)
    whitened = mix_channels(traces, **pack_dense(matrix))
    np.testing.assert_allclose(covariance_of(whitened), np.eye(24), atol=1e-5)


def test_regularisation_and_eps():
    np.testing.assert_allclose(whitening_matrix_global(np.diag([4.0, 9.0]), eps=16.0), np.diag([20**-0.5, 0.2]))
    relative = whitening_matrix_global(np.diag([4.0, 10.0, 22.0]), regularization=0.5)
    np.testing.assert_allclose(relative, np.diag([9**-0.5, 15**-0.5, 27**-0.5]))


def test_directions_without_variance_are_left_out():
    traces = correlated(20_000, 10)
    traces[:, 3] = 0
    traces[:, 4:] -= traces[:, 4:].mean(axis=1, keepdims=True)
    matrix = whitening_matrix_global(np.cov(traces.T.astype("float64")))
    assert np.abs(matrix).max() < 1 and not matrix[3].any()
    whitened = np.cov((traces @ matrix).T)
    assert np.sort(np.linalg.eigvalsh(whitened)) == pytest.approx([0, 0, 1, 1, 1, 1, 1, 1, 1, 1], abs=1e-6)


def test_local_rows_whiten_their_neighborhood():
    rng = np.random.default_rng(5)
    positions = rng.permutation(np.stack([np.arange(40) % 2 * 32.0, np.arange(40) * 10.0], axis=1))
    covariance = covariance_of(correlated(5000, 40))
    good = np.ones(40, bool)
    good[[4, 17]] = False
    neighbors, weights = whitening_matrix_local(covariance, positions, n_nearest=8, good=good)
    assert neighbors.dtype == np.int32 and weights.dtype == np.float32 and neighbors.shape == (40, 8)
    for c in range(40):
        if not good[c]:
            assert (neighbors[c] == -1).all() and not weights[c].any()
            continue
        distance = np.linalg.norm(positions - positions[c], axis=1)
        near = [i for i in np.argsort(distance, kind="stable") if good[i]][:8]
        assert set(near) == set(neighbors[c]) and neighbors[c, 0] == c
        value, vector = np.linalg.eigh(covariance[np.ix_(near, near)])
        whitening = vector @ np.diag(value**-0.5) @ vector.T
        np.testing.assert_allclose(weights[c, np.argsort(neighbors[c])], whitening[0][np.argsort(near)], rtol=1e-5)


def test_local_radius_pads_short_neighborhoods():
    positions = np.stack([np.zeros(6), [0, 20, 40, 60, 80, 500]], axis=1)
    covariance = covariance_of(correlated(3000, 6))
    neighbors, weights = whitening_matrix_local(covariance, positions, radius_um=45)
    assert [set(row) - {-1} for row in neighbors.tolist()] == [
        {0, 1, 2}, {0, 1, 2, 3}, {0, 1, 2, 3, 4}, {1, 2, 3, 4}, {2, 3, 4}, {5},
    ]  # fmt: skip
    assert not weights[neighbors == -1].any()
    assert weights[5, 0] == pytest.approx(covariance[5, 5] ** -0.5)
