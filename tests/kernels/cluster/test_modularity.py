"""The graph of landmarks, its communities and the tree, against definitions written out."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.landmarks import blobs, communities
from xephys.kernels.cluster import modularity as graph


def modularity(links, labels, landmark_labels):
    """Bipartite modularity: share of links within labels, minus the share expected from the degrees."""
    n = int(max(labels.max(), landmark_labels.max())) + 1
    inside = (labels[:, None] == landmark_labels[links]).mean()
    rows = np.bincount(labels, minlength=n) / len(labels)
    columns = np.bincount(landmark_labels[links].ravel(), minlength=n) / links.size
    return inside - rows @ columns


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
    assert modularity(links, labels, labels[rows]) == pytest.approx(total / links.size)


@pytest.mark.parametrize("seed", range(3))
def test_no_single_move_raises_the_modularity(seed):
    features, _ = blobs(40, 30, 20, distance=4.0, seed=seed)
    links, _, _, labels, landmark_labels = communities(features, n_clusters=8)
    best = modularity(links, labels, landmark_labels)
    for side in (labels, landmark_labels):
        for node in range(0, len(side), 3):
            kept = side[node]
            for label in range(int(labels.max()) + 1):
                side[node] = label
                assert modularity(links, labels, landmark_labels) <= best + 1e-9
            side[node] = kept


def test_modularity_rises_from_its_start():
    features, _ = blobs(200, 150, 100, distance=4.0)
    links, rows, start, labels, landmark_labels = communities(features)
    assert modularity(links, labels, landmark_labels) > modularity(links, start, start[rows]) + 0.05


@pytest.mark.parametrize("factor", [1, 4])
def test_the_resolution_does_not_depend_on_how_many_landmarks_there_are(factor):
    """The null model uses degrees, not nodes: two blobs are two communities with all landmarks and with some."""
    features, truth = blobs(400, 400)
    _, _, _, labels, _ = communities(features, n_clusters=2, landmarks=np.arange(0, 800, factor))
    assert len(set(zip(labels.tolist(), truth.tolist(), strict=True))) == 2


def test_numbers_of_landmarks():
    assert len(graph.landmark_rows(1000, downsampling=20, n_min=0, n_max=None)) == 50
    assert len(graph.landmark_rows(1000, downsampling=20, n_min=400, n_max=None)) == 400
    assert len(graph.landmark_rows(1000, downsampling=1, n_min=0, n_max=300)) == 300
    assert len(graph.landmark_rows(7, downsampling=1, n_min=400, n_max=300)) == 7
    assert len(graph.landmark_rows(0, downsampling=1, n_min=4, n_max=3)) == 0
