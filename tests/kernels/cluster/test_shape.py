"""Shapes of clusters: means equal a plain loop; delays and scales between shapes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.cluster_shapes import spike_shape
from xephys.kernels.cluster.shape import cluster_means, shape_residual, shift_operators


def test_means_equal_a_plain_loop():
    rng = np.random.default_rng(3)
    neighbors = np.array([[0, 1, -1], [0, 1, 2], [1, 2, 3], [2, 3, -1]], np.int32)
    channel = rng.integers(0, 4, 200)
    labels = rng.integers(-1, 3, 200).astype(np.int32)
    projection = rng.standard_normal((200, 3, 2)).astype("float32")
    means, measured = cluster_means(projection, channel, labels, neighbors, fraction_min=0.3)
    for cluster in range(3):
        for c in range(4):
            found = [
                projection[i, slot]
                for i in np.flatnonzero(labels == cluster)
                for slot in range(3)
                if neighbors[channel[i], slot] == c
            ]
            enough = len(found) > 0.3 * (labels == cluster).sum()
            assert measured[cluster, c] == enough
            np.testing.assert_allclose(means[cluster, c], np.mean(found, axis=0) if enough else 0.0, atol=1e-6)


def test_the_shift_operator_delays(basis):
    wave = basis @ spike_shape(20)
    for shift in (-1.5, 0.0, 1.0):
        moved = wave @ shift_operators(basis, np.array([shift]))[0]
        expected = basis @ spike_shape(20 + shift)
        assert np.linalg.norm(moved - expected) < 0.02 * np.linalg.norm(expected)


def test_scale_is_bounded():
    mean = np.array([[1.0, 2.0]])
    residual, scale, _ = shape_residual(mean, 0.1 * mean, np.eye(2)[None], scale_min=0.5)
    assert scale == 0.5
    assert residual == pytest.approx(4.0)
