"""Distances between units, and which are near."""

from __future__ import annotations

import numpy as np

from tests.support.mixtures import N_COMPONENTS, NEIGHBORS, everywhere_possible, noise_covariance, units
from xephys.kernels.cluster.mixture.distance import distances_of, near_in, near_units
from xephys.kernels.cluster.mixture.neighborhoods import find_neighborhoods


def mixture_of(loadings):  # type: ignore[no-untyped-def]
    sets, _ = find_neighborhoods(NEIGHBORS, noise_covariance(), n_components=N_COMPONENTS)
    return everywhere_possible(loadings, np.zeros(len(loadings)), -4.0, sets), sets


def test_a_unit_and_its_scaled_copy_are_no_distance_apart() -> None:
    loadings = units()
    loadings[1] = 0.9 * loadings[0]
    distances = distances_of(*mixture_of(loadings))
    assert distances[0, 1] < 1e-3 and distances[0, 2] > 0.5
    np.testing.assert_array_equal(distances, distances.T)


def test_the_scale_is_bounded() -> None:
    loadings = units()
    loadings[1] = 0.25 * loadings[0]
    # A quarter is 0.5 of three quarters away, and the geometric mean of the norms is half.
    np.testing.assert_allclose(distances_of(*mixture_of(loadings))[0, 1], 1.0, rtol=1e-5)


def test_units_that_share_no_neighborhood_are_infinitely_far() -> None:
    mixture, sets = mixture_of(units())
    mixture.places[:2, 0] = -np.inf
    mixture.places[2:, 1:] = -np.inf
    assert np.isinf(distances_of(mixture, sets)[0, 1])
    assert near_in(mixture, sets)[0].tolist() == [-1, -1, -1]


def test_near_units_come_by_distance_up_to_a_limit() -> None:
    distances = np.array([[0, 2, 1], [2, 0, 5], [1, 5, 0]], np.float32)
    assert near_units(distances, n_near=2, distance_max=2).tolist() == [[2, 1], [0, -1], [0, -1]]
