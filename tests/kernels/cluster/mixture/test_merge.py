"""Two halves of one neuron are merged, two neurons are not."""

from __future__ import annotations

import numpy as np

from tests.support.mixtures import two_of_one
from xephys.kernels.cluster.mixture.fit import fit_mixture
from xephys.kernels.cluster.mixture.group import members_of
from xephys.kernels.cluster.mixture.merge import merge_pair, pairs_to_merge
from xephys.kernels.cluster.mixture.split import Change
from xephys.kernels.cluster.mixture.start import start_mixture

NOBODY = np.full((2, 0), -1, np.int32)


def merged(apart: float, entropy_weight: float = 1.0) -> Change | None:
    rows, sets, truth = two_of_one(apart=apart)
    mixture = start_mixture(rows, truth, sets, rank=2)
    mixture, found = fit_mixture(rows, sets, mixture, NOBODY, n_candidates=2, n_iterations_max=20, gain_min=1e-3)
    members = members_of(found, log_noise=mixture.log_noise, n_units=2)
    return merge_pair(rows, sets, mixture, found, members, entropy_weight, 0, 1)


def test_random_halves_of_one_unit_become_one() -> None:
    change = merged(0.0)
    assert change is not None and change.units == (0, 1) and change.gain > 0
    assert len(change.parts.loadings) == 1
    np.testing.assert_allclose(change.parts.loadings[0, 4:6, 0], 6.0, atol=0.3)


def test_two_units_stay_two() -> None:
    assert merged(8.0) is None


def test_pairs_are_near_each_other_and_named_once() -> None:
    distances = np.array([[0, 0.1, 9, 9], [0.1, 0, 0.2, 9], [9, 0.2, 0, 9], [9, 9, 9, 0]], np.float32)
    assert pairs_to_merge(distances, distance_max=1.0, n_near=3).tolist() == [[0, 1], [1, 2]]
    assert pairs_to_merge(distances[:1, :1], distance_max=1.0, n_near=3).shape == (0, 2)
