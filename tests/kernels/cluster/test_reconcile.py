"""Sections put together, copies merged, noise and side peaks dropped."""

import numpy as np
import pytest

from xephys.kernels.cluster.drop import drop_misaligned, drop_weak, dropped_clusters, part_weak, relabel
from xephys.kernels.cluster.reconcile import feature_noise, join_sections, merge_same_shape
from xephys.kernels.cluster.sections import Section
from xephys.kernels.cluster.shape import cluster_means, shape_residual, shift_operators

N_SAMPLES = 61


def spike_shape(centre, width=4.0):
    time = np.arange(N_SAMPLES) - centre
    return -np.exp(-0.5 * (time / width) ** 2) + 0.4 * np.exp(-0.5 * ((time - 12) / (2 * width)) ** 2)


@pytest.fixture(scope="module")
def basis():
    bank = np.stack([spike_shape(c, w) for c in np.linspace(17, 23, 13) for w in (3.0, 4.0, 5.5)])
    return np.linalg.svd(bank, full_matrices=False)[2][:6].astype("float32")


NEIGHBORS = np.array([[0, 1, 2], [0, 1, 2], [0, 1, 2]], np.int32)


def spikes(basis, units, n_each, noise=1.0, seed=0):
    """Projections of units given as (delay, width, amplitude on three channels)."""
    rng = np.random.default_rng(seed)
    projection = []
    for delay, width, amplitudes in units:
        mean = np.outer(amplitudes, basis @ spike_shape(20 + delay, width))
        projection.append(mean + noise * rng.standard_normal((n_each, *mean.shape)))
    labels = np.repeat(np.arange(len(units)), n_each).astype(np.int32)
    channel = np.concatenate([np.full(n_each, int(np.argmax(u[2]))) for u in units]).astype(np.int64)
    return np.concatenate(projection).astype("float32"), labels, channel


def merge(basis, projection, labels, channel, sample_index=None):
    rng = np.random.default_rng(5)
    if sample_index is None:
        # One refractory train dealt out to all clusters: no coincidences.
        sample_index = rng.permutation(len(labels)) * 600
    return merge_same_shape(
        labels, np.asarray(sample_index, np.int64), projection, channel, NEIGHBORS, basis, noise=1.0,
        duration_samples=len(labels) * 600, refractory_samples=60, dead_samples=15,
    )  # fmt: skip


def test_phases_and_bursts_of_one_unit_are_merged(basis):
    data = spikes(basis, [(0, 4, (30, 60, 20)), (0.5, 4, (30, 60, 20)), (0, 4, (20, 40, 13))], 150)
    labels, sample_shift, decisions = merge(basis, *data)
    assert set(labels) == {0}
    assert np.abs(sample_shift).max() <= 1
    assert decisions["merged"].sum() == 2
    assert abs(np.abs(decisions["shift"]).max() - 0.5) <= 0.25


def test_different_places_and_widths_are_not(basis):
    data = spikes(basis, [(0, 4, (30, 60, 20)), (0, 5.5, (30, 60, 20)), (0, 4, (55, 60, 20))], 150)
    labels, sample_shift, _ = merge(basis, *data)
    assert not sample_shift.any()
    np.testing.assert_array_equal(labels, data[1])


def test_a_travelling_spike_aligned_to_two_channels_is_one_unit(basis):
    wide = np.linalg.qr(np.stack([spike_shape(c, w) for c in range(12, 29, 2) for w in (3.0, 5.5)]).T)[0].T[:12]
    data = spikes(wide.astype("float32"), [(0, 4, (30, 60, 20)), (5, 4, (30, 60, 20)), (3, 5.5, (60, 20, 20))], 150)
    labels, sample_shift, _ = merge(wide.astype("float32"), *data)
    np.testing.assert_array_equal(labels, np.repeat([0, 0, 1], 150))
    # The second is seen 5 samples after the sample it is aligned to: its spikes are 5 later, or the first's 5 earlier.
    assert sample_shift[150] - sample_shift[0] == 5
    assert sample_shift[300] == 0


def test_same_shape_but_coincident_trains(basis):
    projection, labels, channel = spikes(basis, [(0, 4, (30, 60, 20)), (0, 4, (18, 36, 12))], 2000)
    independent = np.random.default_rng(2).integers(0, len(labels) * 600, len(labels))
    merged, _, decisions = merge(basis, projection, labels, channel, independent)
    np.testing.assert_array_equal(merged, labels)
    assert decisions["reason"].tolist() == ["coincide within the refractory period"]
    assert decisions["observed"][0] == pytest.approx(decisions["expected"][0], rel=0.3)


def test_no_clusters(basis):
    labels, _, decisions = merge(
        basis, np.zeros((4, 3, 6), np.float32), np.full(4, -1, np.int32), np.zeros(4, np.int64)
    )
    assert labels.tolist() == [-1] * 4
    assert len(decisions) == 0


def test_means_equal_a_plain_loop():
    rng = np.random.default_rng(3)
    neighbors = np.array([[0, 1, -1], [0, 1, 2], [1, 2, 3], [2, 3, -1]], np.int32)
    channel = rng.integers(0, 4, 200)
    labels = rng.integers(-1, 3, 200).astype(np.int32)
    projection = rng.standard_normal((200, 3, 2)).astype("float32")
    means, measured = cluster_means(projection, channel, labels, neighbors, min_fraction=0.3)
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


def test_shift_operator_delays(basis):
    wave = basis @ spike_shape(20)
    for shift in (-1.5, 0.0, 1.0):
        moved = wave @ shift_operators(basis, np.array([shift]))[0]
        expected = basis @ spike_shape(20 + shift)
        assert np.linalg.norm(moved - expected) < 0.02 * np.linalg.norm(expected)


def test_scale_is_bounded():
    mean = np.array([[1.0, 2.0]])
    residual, scale, _ = shape_residual(mean, 0.1 * mean, np.eye(2)[None], min_scale=0.5)
    assert scale == 0.5
    assert residual == pytest.approx(4.0)


def test_sections_share_a_unit_once():
    channel = np.array([0] * 30 + [1] * 10 + [1] * 40)
    sections = [Section(np.array([0]), np.array([1])), Section(np.array([1]), np.array([0]))]
    seen = np.arange(80)
    unit = np.repeat([0, 0, 1], [30, 10, 40]).astype(np.int32)
    joined = join_sections(channel, sections, [seen, seen], [unit, unit], min_spikes=5)
    np.testing.assert_array_equal(joined, unit)


def test_owner_wins_over_larger_margin_claim():
    channel = np.array([0] * 20 + [1] * 5)
    sections = [Section(np.array([0]), np.array([1])), Section(np.array([1]), np.array([0]))]
    seen = np.arange(25)
    joined = join_sections(
        channel, sections, [seen, seen], [np.r_[np.zeros(20), [-1] * 5].astype(np.int32), np.zeros(25, np.int32)],
        min_spikes=5,
    )  # fmt: skip
    assert joined.tolist() == [0] * 20 + [-1] * 5


def test_no_sections():
    assert join_sections(np.zeros(0, np.int64), [], [], []).shape == (0,)
    assert relabel(np.zeros(0, np.int32), np.zeros(0, np.int32)).shape == (0,)


def test_noise_is_estimated_beside_loud_spikes(basis):
    rng = np.random.default_rng(1)
    projection = (2.0 * rng.standard_normal((400, 10, 5))).astype("float32")
    projection[:, :4] += 50
    assert 1.6 < feature_noise(projection) <= 2.0
    assert feature_noise(projection[:0]) == 1.0


def test_weak_and_misaligned_are_dropped(basis):
    units = [(0, 4, (30, 60, 20)), (0, 4, (0, 1, 0)), (0, 4, (25, 50, 40))]
    projection, labels, channel = spikes(basis, units, 200)
    means, _ = cluster_means(projection, channel, labels, NEIGHBORS)
    np.testing.assert_array_equal(drop_weak(labels, means, noise=1.0), np.repeat([0, -1, 1], 200))
    np.testing.assert_array_equal(drop_misaligned(labels[:200], means[:1], basis, peak_sample=20), np.zeros(200))
    assert set(drop_misaligned(labels[:200], means[:1], basis, peak_sample=45)) == {-1}


def test_a_small_unit_among_crossings_of_noise_is_set_free(basis):
    """40 spikes of norm 9 on one channel, and 70 crossings of noise on three: one cluster, with a mean of norm 3."""
    rng = np.random.default_rng(0)
    channel = np.concatenate([np.zeros(50, np.int64), np.ones(30, np.int64), np.full(30, 2)])
    projection = rng.standard_normal((110, 3, 6))
    projection[:40, 0, 0] += 9.0
    projection[np.arange(40, 110), channel[40:], 0] += np.where(np.arange(70) % 2, 4.7, -4.7)
    projection = projection.astype("float32")
    labels = np.zeros(110, np.int32)
    means, _ = cluster_means(projection, channel, labels, NEIGHBORS)
    assert drop_weak(labels, means, noise=1.0).max() == -1
    parted = part_weak(labels, means, channel, noise=1.0, min_spikes=20)
    assert parted.tolist() == channel.tolist()
    means, _ = cluster_means(projection, channel, parted, NEIGHBORS)
    kept = drop_weak(parted, means, noise=1.0)
    assert np.flatnonzero(kept == 0).tolist() == np.flatnonzero(channel == 0).tolist()
    assert kept.max() == 0


def test_strong_clusters_are_not_parted():
    means = np.array([[[9.0]], [[6.0]]])
    labels, channels = np.array([1, 0, -1, 1, 0], np.int32), np.arange(5)
    assert part_weak(labels, means, channels, noise=1.0, min_spikes=1).tolist() == labels.tolist()
    none = np.zeros(0, np.int32)
    assert part_weak(none, np.zeros((0, 1, 1)), np.zeros(0, np.int64), noise=1.0, min_spikes=1).size == 0


def test_what_was_dropped_is_told():
    before = np.array([0, 2, 2, 1, -1, 2], np.int32)
    after = np.array([0, -1, -1, 0, -1, -1], np.int32)  # 1 became part of 0
    channel = np.array([4, 7, 8, 4, 1, 8])
    dropped = dropped_clusters(before, after, channel, reason="why")
    assert dropped.tolist() == [(3, 8, "why")]
