"""Labels of further spikes are those of the densities."""

from __future__ import annotations

import numpy as np

from tests.support.mixtures import dense_joint, draw, noise_covariance, rows_of, units
from xephys.kernels.cluster.mixture.assign import assign
from xephys.kernels.cluster.mixture.pairs import Projected, pairs_of, project_units


def test_the_best_units_come_first_and_noise_last() -> None:
    covariance, loadings, weights = noise_covariance(), units(), np.log([0.5, 0.3, 0.1])
    features, channels, _ = draw(loadings, covariance, 200)
    rows, sets, order = rows_of(features, channels, covariance)
    where = np.empty(200, np.int32)
    where[order] = rows.neighborhood
    pairs = pairs_of(np.ones((len(sets.channels), 3), bool))
    seen = Projected(*project_units(loadings, pairs.starts, pairs.units, sets.entries, sets.whiten))
    candidates, joint = assign(features, where, sets, pairs, seen, np.tile(weights, (4, 1)), -3.0, 2, order)
    dense = dense_joint(features, channels, loadings, covariance, weights)[order]
    best = np.argsort(-dense, axis=1)[:, :2]
    np.testing.assert_array_equal(candidates, best)
    np.testing.assert_allclose(joint[:, :2], np.take_along_axis(dense, best, axis=1), rtol=1e-4, atol=1e-3)
    assert (joint[:, 2] == -3).all()
