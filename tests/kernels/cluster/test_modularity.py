"""The graph of landmarks, its communities and the tree, against definitions written out."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.cluster import modularity as graph
from xephys.kernels.cluster.tree import MergeTree, link_counts, merge_tree, split_tree


def blobs(*sizes, distance=8.0, dims=5, seed=0):
    rng = np.random.default_rng(seed)
    centres = distance * np.eye(max(dims, len(sizes)))[: len(sizes), :dims]
    points = np.concatenate([c + rng.standard_normal((n, dims)) for c, n in zip(centres, sizes, strict=True)])
    return points.astype(np.float32), np.repeat(np.arange(len(sizes)), sizes)


def communities(features, *, n_neighbors=10, n_clusters=50, landmarks=None):
    rows = np.arange(len(features)) if landmarks is None else landmarks
    links = graph.landmark_graph(features, rows, n_neighbors=n_neighbors)
    start = graph.start_labels(features, n_clusters=n_clusters, seed=0)
    return links, rows, start, *graph.modularity_labels(links, rows, start)


def test_links_are_the_nearest_other_landmarks():
    features, _ = blobs(60, 50)
    rows = np.arange(0, 110, 3)
    links = graph.landmark_graph(features, rows, n_neighbors=4)
    for spike in range(110):
        distance = np.linalg.norm(features[rows] - features[spike], axis=1)
        distance[rows == spike] = np.inf
        assert set(links[spike]) == set(np.argsort(distance)[:4])


def test_identical_spikes_link_to_others_than_themselves():
    links = graph.landmark_graph(np.ones((30, 3), np.float32), np.arange(30), n_neighbors=5)
    assert links.shape == (30, 5)
    assert not (links == np.arange(30)[:, None]).any()


def test_modularity_by_its_definition():
    features, truth = blobs(40, 30)
    links, rows, *_ = communities(features)
    labels, total = truth.astype(np.int32), 0.0
    own, other = np.full(70, 10.0), np.bincount(links.ravel(), minlength=70)
    linked = np.zeros((70, 70))
    for spike in range(70):
        linked[spike, links[spike]] += 1
    for i in range(70):
        for v in range(70):
            if labels[i] == labels[rows][v]:
                total += linked[i, v] - own[i] * other[v] / links.size
    assert graph.modularity(links, labels, labels[rows]) == pytest.approx(total / links.size)


@pytest.mark.parametrize("seed", range(3))
def test_no_single_move_raises_the_modularity(seed):
    features, _ = blobs(40, 30, 20, distance=4.0, seed=seed)
    links, _, _, labels, landmark_labels = communities(features, n_clusters=8)
    best = graph.modularity(links, labels, landmark_labels)
    for side in (labels, landmark_labels):
        for node in range(0, len(side), 3):
            kept = side[node]
            for label in range(int(labels.max()) + 1):
                side[node] = label
                assert graph.modularity(links, labels, landmark_labels) <= best + 1e-9
            side[node] = kept


def test_modularity_rises_from_the_start():
    features, _ = blobs(200, 150, 100, distance=4.0)
    links, rows, start, labels, landmark_labels = communities(features)
    assert graph.modularity(links, labels, landmark_labels) > graph.modularity(links, start, start[rows]) + 0.05


@pytest.mark.parametrize("factor", [1, 4])
def test_the_resolution_does_not_depend_on_how_many_landmarks_there_are(factor):
    """Degrees, not nodes, are in the null: two blobs are two communities with all landmarks and with some."""
    features, truth = blobs(400, 400)
    _, _, _, labels, _ = communities(features, n_clusters=2, landmarks=np.arange(0, 800, factor))
    assert len(set(zip(labels.tolist(), truth.tolist(), strict=True))) == 2


def test_numbers_of_landmarks():
    assert len(graph.landmark_rows(1000, downsampling=20, n_min=0, n_max=None)) == 50
    assert len(graph.landmark_rows(1000, downsampling=20, n_min=400, n_max=None)) == 400
    assert len(graph.landmark_rows(1000, downsampling=1, n_min=0, n_max=300)) == 300
    assert len(graph.landmark_rows(7, downsampling=1, n_min=400, n_max=300)) == 7
    assert len(graph.landmark_rows(0, downsampling=1, n_min=4, n_max=3)) == 0


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


def test_the_tree_merges_what_is_linked_most():
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


def test_all_spikes_identical():
    labels, _ = clustered(np.full((80, 4), 3.0, np.float32))
    assert labels.max() == 0


@pytest.mark.parametrize("n", [2000, 8000])
def test_a_long_cloud_alone_stays_one(n):
    """Its two ends have few links for their size; what parts two units is a gap."""
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
    """The decision about the two halves, linked so much."""
    features, _ = bursting_halves()
    halves = (np.arange(len(features)) % 2).astype(np.int32)
    return split_tree(MergeTree(np.array([[0, 1]]), np.array([ratio])), features, halves, samples=samples)


def test_two_halves_of_one_bursting_unit_stay_one_with_their_times():
    """Two clouds by their features: what keeps them together is the refractory gate."""
    labels, why = split_halves(None, 0.5)
    assert (labels.max(), why["reason"].tolist()) == (1, ["two clouds"])
    labels, why = split_halves(bursting_halves()[1], 0.5)
    assert (labels.max(), why["reason"].tolist()) == (0, ["refractory cross-correlogram"])


def test_two_units_are_apart_with_their_times():
    samples = np.sort(np.random.default_rng(1).integers(0, 3_000_000, 1800))
    labels, why = split_halves(samples, 0.5)
    assert (labels.max(), why["reason"].tolist()) == (1, ["two clouds"])


def test_what_nothing_links_is_not_asked_for_its_times():
    labels, why = split_halves(bursting_halves()[1], 0.01)
    assert (labels.max(), why["reason"].tolist()) == (1, ["hardly a link"])


def test_few_spikes_are_not_told_apart_unless_nothing_links_them():
    features, _ = blobs(200, 10, distance=3.0)
    tree = MergeTree(np.array([[0, 1]]), np.array([0.7]))
    labels, why = split_tree(tree, features, np.repeat(np.array([0, 1], np.int32), [200, 10]))
    assert (labels.max(), why["reason"].tolist()) == (0, ["too few spikes to tell"])
    tree = MergeTree(np.array([[0, 1]]), np.array([0.1]))
    labels, why = split_tree(tree, features, np.repeat(np.array([0, 1], np.int32), [200, 10]))
    assert (labels.max(), why["reason"].tolist()) == (1, ["few spikes, few links"])
