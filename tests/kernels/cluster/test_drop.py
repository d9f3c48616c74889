"""Weak and misaligned clusters are dropped, small units among crossings of noise are kept."""

from __future__ import annotations

import numpy as np

from tests.support.cluster_shapes import spikes
from xephys.kernels.cluster.drop import drop_misaligned, drop_weak, dropped_clusters, part_weak
from xephys.kernels.cluster.shape import cluster_means

NEIGHBORS = np.array([[0, 1, 2], [0, 1, 2], [0, 1, 2]], np.int32)


def test_weak_and_misaligned_are_dropped(basis):
    units = [(0, 4, (30, 60, 20)), (0, 4, (0, 1, 0)), (0, 4, (25, 50, 40))]
    projection, labels, channel = spikes(basis, units, 200)
    means, _ = cluster_means(projection, channel, labels, NEIGHBORS)
    np.testing.assert_array_equal(drop_weak(labels, means, noise=1.0), np.repeat([0, -1, 1], 200))
    np.testing.assert_array_equal(drop_misaligned(labels[:200], means[:1], basis, peak_sample=20), np.zeros(200))
    assert set(drop_misaligned(labels[:200], means[:1], basis, peak_sample=45)) == {-1}


def test_a_small_unit_among_crossings_of_noise_is_set_free(basis):
    """One cluster of 40 spikes of norm 9 on one channel and 70 noise crossings on three, with a mean of norm 3."""
    rng = np.random.default_rng(0)
    channel = np.concatenate([np.zeros(50, np.int64), np.ones(30, np.int64), np.full(30, 2)])
    projection = rng.standard_normal((110, 3, 6))
    projection[:40, 0, 0] += 9.0
    projection[np.arange(40, 110), channel[40:], 0] += np.where(np.arange(70) % 2, 4.7, -4.7)
    projection = projection.astype("float32")
    labels = np.zeros(110, np.int32)
    means, _ = cluster_means(projection, channel, labels, NEIGHBORS)
    assert drop_weak(labels, means, noise=1.0).max() == -1
    parted = part_weak(labels, means, channel, noise=1.0, n_spikes_min=20)
    assert parted.tolist() == channel.tolist()
    means, _ = cluster_means(projection, channel, parted, NEIGHBORS)
    kept = drop_weak(parted, means, noise=1.0)
    assert np.flatnonzero(kept == 0).tolist() == np.flatnonzero(channel == 0).tolist()
    assert kept.max() == 0


def test_strong_clusters_are_not_split():
    means = np.array([[[9.0]], [[6.0]]])
    labels, channels = np.array([1, 0, -1, 1, 0], np.int32), np.arange(5)
    assert part_weak(labels, means, channels, noise=1.0, n_spikes_min=1).tolist() == labels.tolist()
    none = np.zeros(0, np.int32)
    assert part_weak(none, np.zeros((0, 1, 1)), np.zeros(0, np.int64), noise=1.0, n_spikes_min=1).size == 0


def test_dropped_clusters_are_reported():
    before = np.array([0, 2, 2, 1, -1, 2], np.int32)
    after = np.array([0, -1, -1, 0, -1, -1], np.int32)  # cluster 1 became part of 0
    channel = np.array([4, 7, 8, 4, 1, 8])
    dropped = dropped_clusters(before, after, channel, reason="why")
    assert dropped.tolist() == [(3, 8, "why")]
