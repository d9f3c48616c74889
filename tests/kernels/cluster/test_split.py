"""Recursive splitting of clouds of known composition."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from xephys.kernels.cluster.split import principal_axes, split_evidence, split_features


def clouds(sizes, n_dims, distance, seed):
    """Gaussians of unit variance around random centers at least ``distance`` apart."""
    rng = np.random.default_rng(seed)
    centers = np.zeros((0, n_dims))
    while len(centers) < len(sizes):
        center = rng.standard_normal(n_dims) * 2.0
        if len(centers) == 0 or np.linalg.norm(centers - center, axis=1).min() > distance:
            centers = np.vstack([centers, center])
    truth = np.repeat(np.arange(len(sizes)), sizes)
    points = centers[truth] + rng.standard_normal((len(truth), n_dims))
    order = rng.permutation(len(truth))
    return points[order].astype("float32"), truth[order]


def accuracy(labels, truth):
    table = np.zeros((truth.max() + 1, max(labels.max() + 1, 1)), int)
    np.add.at(table, (truth[labels >= 0], labels[labels >= 0]), 1)
    union = table.sum(1)[:, None] + table.sum(0)[None] - table
    rows, columns = linear_sum_assignment(-table / union)
    return (table / union)[rows, columns].sum() / len(table)


@pytest.mark.parametrize("seed", range(3))
def test_finds_all_clouds_and_no_more(seed):
    points, truth = clouds([800, 500, 300, 200, 120, 80, 60, 40], 40, 7.0, seed)
    labels = split_features(points)
    assert labels.max() + 1 == 8
    assert accuracy(labels, truth) > 0.97


@pytest.mark.parametrize("seed", range(3))
def test_one_cloud_stays_whole(seed):
    rng = np.random.default_rng(seed)
    points = (rng.standard_normal((3000, 40)) * np.linspace(3, 0.5, 40)).astype("float32")
    assert split_features(points).max() == 0


def test_amplitude_variation_does_not_split():
    rng = np.random.default_rng(7)
    shape = rng.standard_normal(40) * 5
    points = (rng.uniform(0.6, 1.1, (1500, 1)) * shape + rng.standard_normal((1500, 40))).astype("float32")
    assert split_features(points).max() == 0


def test_landmarks_give_the_same_clusters():
    points, truth = clouds([6000, 3000, 1500, 700], 20, 7.0, 3)
    labels = split_features(points, n_landmarks_max=1000)
    assert labels.max() + 1 == 4
    assert accuracy(labels, truth) > 0.97


def test_outliers_form_no_cluster_of_their_own():
    points, _ = clouds([500, 500], 20, 8.0, 5)
    points[::100] += np.random.default_rng(0).uniform(-60, 60, (10, 20)).astype("float32")
    assert split_features(points).max() + 1 == 2


def test_a_second_run_gives_the_same_labels():
    points, _ = clouds([400, 300, 200], 30, 6.0, 9)
    np.testing.assert_array_equal(split_features(points), split_features(points.copy()))


@pytest.mark.parametrize("n_spikes", [0, 1, 19])
def test_fewer_spikes_than_a_cluster(n_spikes):
    labels = split_features(np.zeros((n_spikes, 10), np.float32))
    assert labels.tolist() == [-1] * n_spikes
    assert labels.dtype == np.int32


@pytest.mark.parametrize("n_spikes", [25, 500])
def test_identical_spikes_are_one_cluster(n_spikes):
    assert set(split_features(np.full((n_spikes, 10), 3.0, np.float32))) == {0}


def test_fifty_spikes_of_two_units_are_separated():
    points, truth = clouds([30, 25], 20, 12.0, 1)
    assert accuracy(split_features(points), truth) > 0.95


def test_a_single_feature_is_enough():
    rng = np.random.default_rng(1)
    points = np.r_[rng.standard_normal(300), rng.standard_normal(300) + 8][:, None].astype("float32")
    assert np.bincount(split_features(points)).tolist() in ([300, 300], [301, 299])


def test_axes_are_sorted_and_signed():
    rng = np.random.default_rng(1)
    points = (rng.standard_normal((200, 6)) * [1, 5, 1, 3, 1, 1]).astype("float32")
    projected = principal_axes(points, n_dims_max=2)
    assert projected.shape == (200, 2)
    np.testing.assert_allclose(projected[:, 0], points[:, 1] - points[:, 1].mean(), atol=2.0)
    assert projected[:, 0].std() > projected[:, 1].std()


def test_a_split_reports_the_gap_between_its_parts():
    points, _ = clouds([300, 200, 100], 10, 9.0, 2)
    labels = split_features(points)
    splits = split_evidence(points, labels, depth_min=3.5, ratio_max=0.7)
    assert splits["part"].tolist() == [1, 2]
    assert splits["num_spikes"].tolist() == np.bincount(labels)[1:].tolist()
    assert (splits["beside"] < splits["part"]).all()
    assert (splits["depth"] >= 3.5).all()
    assert (splits["separation"] > 5).all()
    assert set(splits["reason"]) == {"a gap between their spikes"}
    one = np.random.default_rng(0).standard_normal((400, 10)).astype("float32")
    halves = split_evidence(one, (one[:, 0] > 0).astype(np.int32), depth_min=3.5, ratio_max=0.7)
    assert halves["reason"].tolist() == ["too far apart for one cloud"]
    assert 2.3 < halves["separation"][0] < 3.0  # the halves of a Gaussian are 2.65 apart
    assert split_evidence(one, np.zeros(400, np.int32), depth_min=3.5, ratio_max=0.7).size == 0
