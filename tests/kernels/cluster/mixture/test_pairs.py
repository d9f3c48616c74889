"""Units are stored for the neighborhoods where they can appear."""

from __future__ import annotations

import numpy as np

from tests.support.mixtures import N_COMPONENTS, NEIGHBORS, noise_covariance, units
from xephys.kernels.cluster.mixture.neighborhoods import find_neighborhoods
from xephys.kernels.cluster.mixture.pairs import Projected, pairs_of, possible_pairs, project_units


def test_projections_are_those_of_the_dense_model() -> None:
    covariance, loadings = noise_covariance(), units()
    sets, _ = find_neighborhoods(NEIGHBORS, covariance, n_components=N_COMPONENTS)
    pairs = pairs_of(np.ones((len(sets.channels), len(loadings)), bool))
    seen = Projected(*project_units(loadings, pairs.starts, pairs.units, sets.entries, sets.whiten))
    pair = 0
    for s in range(len(sets.channels)):
        used = sets.entries[s] >= 0
        matrix = sets.whiten[s][np.ix_(used, used)]
        for unit in range(len(loadings)):
            white = matrix @ loadings[unit, sets.entries[s][used]]
            np.testing.assert_allclose(seen.directions[pair][:, used].T, white, rtol=1e-5, atol=1e-5)
            gram = np.eye(2) + white[:, 1:].T @ white[:, 1:]
            np.testing.assert_allclose(seen.posterior[pair], np.linalg.inv(gram))
            np.testing.assert_allclose(seen.shift[pair], white[:, 1:].T @ white[:, 0])
            constant = (white[:, 0] ** 2).sum() / 2 + np.linalg.slogdet(gram)[1] / 2
            np.testing.assert_allclose(seen.constant[pair], constant)
            pair += 1


def test_a_table_with_holes_finds_its_pairs() -> None:
    possible = np.array([[True, False, True], [False, True, True]])
    pairs = pairs_of(possible)
    for s, u in np.argwhere(possible):
        assert pairs.units[pairs.starts[s] + pairs.table[s, u]] == u
    assert (pairs.table[~possible] == -1).all()


def test_a_unit_appears_where_half_of_its_energy_is_or_some_spikes() -> None:
    sets, _ = find_neighborhoods(np.array([[0], [1], [2]], np.int32), 1.0, n_components=1)
    loadings = np.array([[[3.0], [0.5], [0.5]]])
    counts = np.array([[990.0], [10.0], [1.0]])
    assert possible_pairs(loadings, counts, sets).ravel().tolist() == [True, True, False]
