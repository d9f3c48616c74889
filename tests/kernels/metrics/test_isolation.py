"""Isolation in feature space follows SpikeInterface's formulas on the same features."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.metrics.isolation import Isolation, isolation, isolations, unit_space


def features() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(3, 8)) * 1.5
    labels = rng.integers(0, 3, 900)
    return (centers[labels] + rng.normal(size=(900, 8))).astype(np.float32), labels


@pytest.mark.parametrize("unit", [0, 1, 2])
def test_formulas(unit: int) -> None:
    from spikeinterface.metrics.quality import pca_metrics as si

    rows, labels = features()
    found = isolation(rows, labels, unit)
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
    found = isolation(rows, labels, 1, n_spikes_max=400)
    np.testing.assert_allclose((found.nn_hit_rate, found.nn_miss_rate), expected)


def test_a_single_unit_or_no_spikes_have_no_distances() -> None:
    rows = np.random.default_rng(1).normal(size=(50, 3)).astype(np.float32)
    alone = isolation(rows, np.zeros(50, int), 0)
    assert (alone.nn_hit_rate, alone.nn_miss_rate) == (1.0, 0.0)
    assert np.isnan([alone.isolation_distance, alone.l_ratio, alone.d_prime, alone.silhouette]).all()
    assert np.isnan(isolation(rows, np.zeros(50, int), 1)).all()


def test_fewer_spikes_than_features_have_no_distance() -> None:
    rows = np.random.default_rng(2).normal(size=(60, 20)).astype(np.float32)
    assert np.isnan(isolation(rows, np.repeat([0, 1], [10, 50]), 0).isolation_distance)


def test_the_space_of_a_unit() -> None:
    rng = np.random.default_rng(3)
    channels = np.array([[0, 1, 2], [1, 2, 3], [5, -1, -1]], np.int32)
    owners = np.array([0, 1, 1, 2, 0])
    projections = rng.normal(size=(5, 2, 3)).astype(np.float32)
    rows, labels = unit_space(projections, owners, channels, np.array([1, 2, 5]), 0, n_channels=6)
    assert labels.tolist() == [0, 1, 1, 0]
    dense = rows.reshape(4, 2, 3)
    np.testing.assert_array_equal(dense[0], projections[0])
    np.testing.assert_array_equal(dense[1][:, 1:], projections[1][:, :2])
    assert not dense[1][:, 0].any()
    found = isolations(projections, owners, channels, np.array([1, 2, 5]), 2, n_channels=6)
    assert found.nn_hit_rate == 1.0
