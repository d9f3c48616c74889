"""Isolation in feature space follows SpikeInterface's formulas on the same features."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.metrics.isolation import Isolation, Scores, isolation, unit_scores, unit_space


def features() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(3, 8)) * 1.5
    labels = rng.integers(0, 3, 900)
    return (centers[labels] + rng.normal(size=(900, 8))).astype(np.float32), labels


def scores_of(rows: np.ndarray, labels: np.ndarray, n_units: int) -> Scores:
    """Scores of units on one channel."""
    channels = np.zeros((n_units, 1), np.int32)
    return unit_scores(rows[:, :, None], labels, channels, np.zeros(n_units, np.int64))


@pytest.mark.parametrize("unit", [0, 1, 2])
def test_formulas(unit: int) -> None:
    from spikeinterface.metrics.quality import pca_metrics as si

    rows, labels = features()
    found = isolation(scores_of(rows, labels, 3), unit)
    distance, ratio = si.mahalanobis_metrics(rows.astype(float), labels, unit)
    hit, miss = si.nearest_neighbors_metrics(rows, labels, unit, max_spikes=10_000, n_neighbors=5)
    expected = Isolation(
        distance, ratio, si.d_prime_metric(rows.astype(float), labels, unit), hit, miss,
        si.simplified_silhouette_score(rows.astype(float), labels, unit),
    )  # fmt: skip
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_spikes_beyond_the_limit_are_thinned_as_in_spikeinterface() -> None:
    from spikeinterface.metrics.quality import pca_metrics as si

    rows, labels = features()
    expected = si.nearest_neighbors_metrics(rows, labels, 1, max_spikes=400, n_neighbors=5)
    found = isolation(scores_of(rows, labels, 3), 1, n_spikes_max=400)
    np.testing.assert_allclose((found.nn_hit_rate, found.nn_miss_rate), expected)


def test_a_single_unit_or_no_spikes_have_no_distances() -> None:
    rows = np.random.default_rng(1).normal(size=(50, 3)).astype(np.float32)
    scores = scores_of(rows, np.zeros(50, int), 2)
    alone = isolation(scores, 0)
    assert (alone.nn_hit_rate, alone.nn_miss_rate) == (1.0, 0.0)
    assert np.isnan([alone.isolation_distance, alone.l_ratio, alone.d_prime, alone.silhouette]).all()
    assert np.isnan(isolation(scores, 1)).all()


def test_fewer_spikes_than_features_have_no_distance() -> None:
    rows = np.random.default_rng(2).normal(size=(60, 20)).astype(np.float32)
    assert np.isnan(isolation(scores_of(rows, np.repeat([0, 1], [10, 50]), 2), 0).isolation_distance)


def test_the_space_of_a_unit() -> None:
    rng = np.random.default_rng(3)
    channels = np.array([[0, 1, 2], [1, 2, 3], [5, -1, -1]], np.int32)
    owners = np.array([0, 1, 1, 2, 0])
    projections = rng.normal(size=(5, 2, 3)).astype(np.float32)
    projections[3, :, 1:] = 0
    scores = unit_scores(projections, owners, channels, np.array([1, 2, 5]))
    space = unit_space(scores, 0)
    assert (space.sizes.tolist(), space.order.tolist()) == ([2, 2], [0, 4, 1, 2])
    dense = space.rows.reshape(4, 3, 2).transpose(0, 2, 1)
    np.testing.assert_array_equal(dense[:2], projections[[0, 4]])
    np.testing.assert_array_equal(dense[2:][:, :, 1:], projections[[1, 2]][:, :, :2])
    assert not dense[2:][:, :, 0].any()
    np.testing.assert_allclose(space.sums, [space.rows[:2].sum(axis=0), space.rows[2:].sum(axis=0)], rtol=1e-5)
    np.testing.assert_allclose(space.products, space.rows.T @ space.rows, rtol=1e-5, atol=1e-5)
    assert isolation(scores, 2).nn_hit_rate == 1.0


@pytest.mark.parametrize("unit", [0, 2])
def test_units_on_different_channels_equal_spikeinterface(unit: int) -> None:
    from spikeinterface.metrics.quality import pca_metrics as si

    rng = np.random.default_rng(4)
    channels = np.array([[0, 1, 2], [1, 2, 3], [2, 3, -1]], np.int32)
    owners = rng.integers(0, 3, 400)
    projections = (rng.normal(size=(3, 4, 3))[owners] + rng.normal(size=(400, 4, 3))).astype(np.float32)
    projections[owners == 2, :, 2] = 0
    scores = unit_scores(projections, owners, channels, np.array([1, 2, 2]))
    space = unit_space(scores, unit)
    labels = owners[space.order]
    found = isolation(scores, unit)
    distance, ratio = si.mahalanobis_metrics(space.rows.astype(float), labels, unit)
    hit, miss = si.nearest_neighbors_metrics(space.rows, labels, unit, max_spikes=10_000, n_neighbors=5)
    expected = Isolation(
        distance, ratio, si.d_prime_metric(space.rows.astype(float), labels, unit), hit, miss,
        si.simplified_silhouette_score(space.rows.astype(float), labels, unit),
    )  # fmt: skip
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_constant_score_has_no_distance_and_a_pseudoinverse() -> None:
    """A discriminant is found without it, as if it were not there."""
    rows, labels = features()
    rows[:, 3] = 0
    found = isolation(scores_of(rows, labels, 3), 0)
    without = isolation(scores_of(np.delete(rows, 3, axis=1), labels, 3), 0)
    assert np.isnan([found.isolation_distance, found.l_ratio]).all()
    assert found.d_prime == pytest.approx(without.d_prime)
