"""Two neurons under one mean are split; one neuron is not, even if its amplitude varies."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.mixtures import everywhere_possible, two_of_one
from xephys.kernels.cluster.mixture.fit import Mixture, fit_mixture
from xephys.kernels.cluster.mixture.group import members_of
from xephys.kernels.cluster.mixture.neighborhoods import Neighborhoods, Rows
from xephys.kernels.cluster.mixture.split import Change, factor_places, k_means, split_unit
from xephys.kernels.cluster.mixture.start import start_mixture

NOBODY = np.full((1, 0), -1, np.int32)


def one_unit(rows: Rows, sets: Neighborhoods):  # type: ignore[no-untyped-def]
    """All spikes fitted as one unit."""
    mixture = start_mixture(rows, np.zeros(len(rows.held_out), np.int32), sets, rank=2)
    return fit_mixture(rows, sets, mixture, NOBODY, n_candidates=1, n_iterations_max=30, gain_min=1e-4)


def split(rows: Rows, sets: Neighborhoods, *, entropy_weight: float = 1.0) -> Change | None:
    mixture, found = one_unit(rows, sets)
    members = members_of(found, log_noise=mixture.log_noise, n_units=1)
    return split_unit(rows, sets, mixture, found, members, entropy_weight, 20, 0, 0)


def test_two_units_are_found_under_one_mean() -> None:
    rows, sets, _ = two_of_one(apart=7.0)
    change = split(rows, sets)
    assert change is not None and change.units == (0,) and change.gain > 0
    means = np.sort(change.parts.loadings[:, 4, 0])
    np.testing.assert_allclose(means, [6.0, 13.0], atol=0.3)


def test_one_unit_stays_one() -> None:
    rows, sets, _ = two_of_one(apart=0.0)
    assert split(rows, sets) is None


def test_too_few_spikes_are_not_split() -> None:
    rows, sets, _ = two_of_one(apart=7.0, n_spikes=30)
    assert split(rows, sets) is None


def test_factors_tell_two_units_apart_whatever_channels_are_missing() -> None:
    rows, sets, truth = two_of_one(apart=7.0)
    mixture, _ = one_unit(rows, sets)
    places = factor_places(rows, mixture, sets)
    seen = np.isin(4, sets.entries) & np.array([4 in sets.entries[s] for s in rows.neighborhood])
    along = places[seen][:, np.abs(np.corrcoef(places[seen].T, truth[seen])[-1, :-1]).argmax()]
    assert abs(np.corrcoef(along, truth[seen])[0, 1]) > 0.9


@pytest.mark.parametrize("n_points", [1, 3, 50])
def test_k_means_labels_every_point_and_is_repeatable(n_points: int) -> None:
    points = np.random.default_rng(0).normal(size=(n_points, 2))
    first, again = (k_means(points, 4, 3, 10, np.uint64(7)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert len(first) == n_points and first.min() >= 0 and first.max() < 4


def test_a_mixture_is_not_changed_by_trying() -> None:
    rows, sets, _ = two_of_one(apart=7.0)
    mixture, found = one_unit(rows, sets)
    before: Mixture = everywhere_possible(*mixture[:2], mixture.log_noise, sets)
    loadings, places = before.loadings.copy(), mixture.places.copy()
    split_unit(rows, sets, mixture, found, members_of(found, log_noise=mixture.log_noise, n_units=1), 1.0, 20, 0, 0)
    np.testing.assert_array_equal(mixture.loadings, loadings)
    np.testing.assert_array_equal(mixture.places, places)
