"""The tree of communities equals its written definition, and is cut in the right places."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.landmarks import blobs, communities
from xephys.kernels.cluster.tree import MergeTree, link_counts, merge_tree, split_tree


def test_counts_of_links_by_their_definition():
    features, _ = blobs(40, 30, distance=3.0)
    links, _, _, labels, landmark_labels = communities(features, n_clusters=5)
    n = int(labels.max()) + 1
    counts, expected = link_counts(links, labels, landmark_labels, n)
    slow = np.zeros((n, n))
    for spike in range(70):
        for landmark in links[spike]:
            slow[labels[spike], landmark_labels[landmark]] += 1
    np.testing.assert_array_equal(counts, slow + slow.T)
    null = np.outer(slow.sum(axis=1), slow.sum(axis=0)) / links.size + 1e-3
    np.testing.assert_allclose(expected, null + null.T)


def test_the_strongest_links_are_merged_first():
    counts = np.array([[50, 1, 9, 0], [1, 40, 0, 5], [9, 0, 30, 0], [0, 5, 0, 20.0]])
    tree = merge_tree(counts, np.ones((4, 4)))
    assert tree.children.tolist() == [[0, 2], [1, 3], [4, 5]]
    assert tree.ratios.tolist() == [9, 5, 0.25]


def clustered(features, samples=None, **parameters):
    links, _, _, labels, landmark_labels = communities(features, n_clusters=20)
    tree = merge_tree(*link_counts(links, labels, landmark_labels, int(labels.max()) + 1))
    return split_tree(tree, features, labels, samples=samples, **parameters)


@pytest.mark.parametrize("sizes", [(300, 200), (400, 60, 30), (50,), (500, 500, 500, 500)])
def test_blobs_are_found(sizes):
    features, truth = blobs(*sizes)
    labels, _ = clustered(features)
    assert np.bincount(labels).tolist() == sorted(sizes, reverse=True)
    assert len(set(zip(labels.tolist(), truth.tolist(), strict=True))) == len(sizes)


@pytest.mark.parametrize("seed", range(4))
def test_one_cloud_stays_one(seed):
    features = np.random.default_rng(seed).standard_normal((700, 12)).astype("f4")
    labels, why = clustered(features)
    assert labels.max() == 0
    assert len(why) >= 1


def test_identical_spikes_are_one_cluster():
    labels, _ = clustered(np.full((80, 4), 3.0, np.float32))
    assert labels.max() == 0


@pytest.mark.parametrize("n", [2000, 8000])
def test_a_long_cloud_alone_stays_one(n):
    """Its two ends have few links for their size, but two units are separated by a gap."""
    features = np.random.default_rng(0).standard_normal((n, 20)).astype("f4")
    features[:, 0] *= 4
    features[:, 1] *= 2
    labels, why = clustered(features)
    assert labels.max() == 0
    assert why["ratio"][0] < 0.25


def bursting_halves(seed=0, n=900):
    """A train of bursts of two: the second spikes smaller and 4 ms later, two clouds that touch."""
    rng = np.random.default_rng(seed)
    first = np.cumsum(rng.exponential(2400, n) + 600).astype(np.int64)
    samples = np.stack([first, first + 120], axis=1).ravel()
    features = rng.standard_normal((2 * n, 6)) * 0.6
    features[::2, 0] += 9
    features[1::2, 0] += 6.5
    return features.astype("f4"), samples


def split_halves(samples, ratio):
    """The decision about two halves with the given ratio of links."""
    features, _ = bursting_halves()
    halves = (np.arange(len(features)) % 2).astype(np.int32)
    return split_tree(MergeTree(np.array([[0, 1]]), np.array([ratio])), features, halves, samples=samples)


def test_the_times_keep_two_halves_of_a_bursting_unit_together():
    """Their features form two clouds, and the refractory period keeps them together."""
    labels, why = split_halves(None, 0.5)
    assert (labels.max(), why["reason"].tolist()) == (1, ["two clouds"])
    labels, why = split_halves(bursting_halves()[1], 0.5)
    assert (labels.max(), why["reason"].tolist()) == (0, ["refractory cross-correlogram"])


def test_the_times_separate_two_units():
    samples = np.sort(np.random.default_rng(1).integers(0, 3_000_000, 1800))
    labels, why = split_halves(samples, 0.5)
    assert (labels.max(), why["reason"].tolist()) == (1, ["two clouds"])


def test_unlinked_communities_are_separated_without_their_times():
    labels, why = split_halves(bursting_halves()[1], 0.01)
    assert (labels.max(), why["reason"].tolist()) == (1, ["hardly a link"])


def test_few_spikes_are_separated_only_without_links():
    features, _ = blobs(200, 10, distance=3.0)
    tree = MergeTree(np.array([[0, 1]]), np.array([0.7]))
    labels, why = split_tree(tree, features, np.repeat(np.array([0, 1], np.int32), [200, 10]))
    assert (labels.max(), why["reason"].tolist()) == (0, ["too few spikes to tell"])
    tree = MergeTree(np.array([[0, 1]]), np.array([0.1]))
    labels, why = split_tree(tree, features, np.repeat(np.array([0, 1], np.int32), [200, 10]))
    assert (labels.max(), why["reason"].tolist()) == (1, ["few spikes, few links"])
