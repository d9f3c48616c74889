"""The M-step against the same equation solved densely."""

from __future__ import annotations

import numpy as np

from tests.support.mixtures import N_COMPONENTS, NEIGHBORS, noise_covariance, units
from xephys.kernels.cluster.mixture import maximize as kernel
from xephys.kernels.cluster.mixture.neighborhoods import find_neighborhoods


def test_mean_and_loadings_solve_the_normal_equation() -> None:
    rng = np.random.default_rng(0)
    sets, _ = find_neighborhoods(NEIGHBORS, noise_covariance(), n_components=N_COMPONENTS)
    n_sets, n_entries = sets.entries.shape
    n_features, n_columns = len(sets.variance), 3
    factors = rng.normal(size=(n_sets, 40, n_columns))
    moments = np.einsum("sna,snb->sab", factors, factors)
    products = rng.normal(size=(n_sets, n_columns, n_entries)) * 20
    prior = np.diag([kernel.PRIOR_OF_MEAN, *[kernel.PRIOR_OF_LOADINGS] * 2])
    left = np.zeros((n_features, n_columns, n_features, n_columns))
    right = np.zeros((n_features, n_columns))
    for s in range(n_sets):
        used = sets.entries[s] >= 0
        own, matrix = sets.entries[s][used], sets.whiten[s][np.ix_(used, used)]
        left[np.ix_(own, range(n_columns), own, range(n_columns))] += np.einsum(
            "ef,ab->eafb", matrix.T @ matrix, moments[s]
        )
        right[own] += matrix.T @ products[s][:, used].T
    for feature in range(n_features):
        left[feature, :, feature] += prior / sets.variance[feature]
    solved = np.linalg.solve(left.reshape(n_features * n_columns, -1), right.ravel()).reshape(n_features, n_columns)
    start = units(n_units=1)
    args = (np.zeros(n_sets, np.int32), np.arange(n_sets, dtype=np.int32), products, moments)
    found = start
    for _ in range(10):  # conjugate gradients begin again from where they ended
        found = kernel.maximize(found, np.array([0]), *args, sets.entries, sets.whiten, sets.variance)
    np.testing.assert_allclose(found[0], solved, rtol=1e-3, atol=1e-3 * np.abs(solved).max())


def test_independent_noise_is_solved_in_one_step_and_what_is_never_seen_is_zero() -> None:
    sets, _ = find_neighborhoods(NEIGHBORS[2:3], np.eye(10).reshape(5, 2, 5, 2), n_components=N_COMPONENTS)
    products, moments = np.ones((1, 1, 6)), np.full((1, 1, 1), 1.5)
    zero = np.zeros(1, np.int32)
    args = (zero, zero, products, moments, sets.entries, sets.whiten, sets.variance)
    found = kernel.maximize(np.full((1, 10, 1), 9.0), np.array([0]), *args)
    np.testing.assert_allclose(found[0, :, 0], [0, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0, 0], atol=1e-6)
