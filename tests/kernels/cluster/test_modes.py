"""Joined modes of a density equal those of a readable reference, which keeps its pairs in a heap."""

from __future__ import annotations

import heapq

import numpy as np
import pytest

from xephys.kernels.cluster.bimodality import bimodality
from xephys.kernels.cluster.density import climb, nearest_points
from xephys.kernels.cluster.modes import joined_modes


def reference(points, n_neighbors, n_spikes_min, depth_min, ratio_max):
    indices, squares = nearest_points(points, points, True, n_neighbors)
    labels = climb(indices, -np.sqrt(squares.astype(np.float64)).mean(axis=1))
    n = labels.max() + 1
    weight = np.zeros((n, n))
    np.add.at(weight, (np.repeat(labels, n_neighbors), labels[indices].ravel()), 1.0)
    weight += weight.T
    degree = weight.sum(axis=1)
    np.fill_diagonal(weight, 0.0)
    members = {group: np.flatnonzero(labels == group) for group in range(n)}
    version, heap = [0] * n, []

    def offer(a, b):
        a, b = min(a, b), max(a, b)
        small = min(len(members[a]), len(members[b])) < n_spikes_min
        strength = weight[a, b] / (degree[a] * degree[b])
        heapq.heappush(heap, (-strength - (1e9 if small else 0.0), a, b, version[a], version[b]))

    for a, b in zip(*np.nonzero(np.triu(weight)), strict=True):
        offer(int(a), int(b))
    while heap:
        _, a, b, *versions = heapq.heappop(heap)
        if a not in members or b not in members or [version[a], version[b]] != versions:
            continue
        if min(len(members[a]), len(members[b])) >= n_spikes_min:
            depth, ratio = bimodality(points[members[a]], points[members[b]])
            if depth >= depth_min and ratio <= ratio_max:
                continue
        members[a] = np.sort(np.concatenate([members[a], members.pop(b)]))
        weight[a] += weight[b]
        weight[:, a] += weight[:, b]
        weight[a, a] = weight[b] = weight[:, b] = 0.0
        degree[a] += degree[b]
        version[a] += 1
        for other in np.flatnonzero(weight[a]):
            offer(a, int(other))
    joined = np.empty(len(points), np.int32)
    for rank, group in enumerate(sorted(members, key=lambda g: (-len(members[g]), g))):
        joined[members[group]] = rank
    return joined


@pytest.mark.parametrize("n_neighbors", [4, 8, 15, 21])
@pytest.mark.parametrize("apart", [0.0, 3.0, 8.0])
def test_labels_equal_those_of_the_reference(n_neighbors, apart):
    rng = np.random.default_rng(n_neighbors)
    points = rng.standard_normal((500, 5)).astype(np.float32)
    points[300:, 0] += apart
    points[450:, 1] -= apart
    limits = (n_neighbors, 10, 3.0, 0.8)
    labels = joined_modes(points, *limits)
    assert np.array_equal(labels, reference(points, *limits))
    assert labels.max() > 0 or apart < 5
    assert labels.max() == 0 or apart > 0
    assert labels.dtype == np.int32


def test_identical_points_are_one_group():
    assert not joined_modes(np.zeros((30, 3), np.float32), 15, 10, 3.0, 0.8).any()
    assert not joined_modes(np.zeros((2, 3), np.float32), 1, 10, 3.0, 0.8).any()
