"""Sections are put together, copies merged, noise and side peaks dropped."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.cluster_shapes import spike_shape, spikes
from xephys.kernels.cluster.drop import relabel
from xephys.kernels.cluster.reconcile import feature_noise, join_sections, merge_same_shape
from xephys.kernels.cluster.sections import Section

NEIGHBORS = np.array([[0, 1, 2], [0, 1, 2], [0, 1, 2]], np.int32)


def merge(basis, projection, labels, channel, sample_index=None):
    rng = np.random.default_rng(5)
    if sample_index is None:
        # All clusters share one refractory train, so there are no coincidences.
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


def test_other_places_and_widths_are_not_merged(basis):
    data = spikes(basis, [(0, 4, (30, 60, 20)), (0, 5.5, (30, 60, 20)), (0, 4, (55, 60, 20))], 150)
    labels, sample_shift, _ = merge(basis, *data)
    assert not sample_shift.any()
    np.testing.assert_array_equal(labels, data[1])


def test_a_travelling_spike_aligned_to_two_channels_is_one_unit(basis):
    wide = np.linalg.qr(np.stack([spike_shape(c, w) for c in range(12, 29, 2) for w in (3.0, 5.5)]).T)[0].T[:12]
    data = spikes(wide.astype("float32"), [(0, 4, (30, 60, 20)), (5, 4, (30, 60, 20)), (3, 5.5, (60, 20, 20))], 150)
    labels, sample_shift, _ = merge(wide.astype("float32"), *data)
    np.testing.assert_array_equal(labels, np.repeat([0, 0, 1], 150))
    # The second is seen 5 samples after its alignment: either its spikes are 5 later, or the first's 5 earlier.
    assert sample_shift[150] - sample_shift[0] == 5
    assert sample_shift[300] == 0


def test_coincident_trains_of_the_same_shape_are_not_merged(basis):
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


def test_sections_share_a_unit_once():
    channel = np.array([0] * 30 + [1] * 10 + [1] * 40)
    sections = [Section(np.array([0]), np.array([1])), Section(np.array([1]), np.array([0]))]
    seen = np.arange(80)
    unit = np.repeat([0, 0, 1], [30, 10, 40]).astype(np.int32)
    joined = join_sections(channel, sections, [seen, seen], [unit, unit], n_spikes_min=5)
    np.testing.assert_array_equal(joined, unit)


def test_owner_wins_over_larger_margin_claim():
    channel = np.array([0] * 20 + [1] * 5)
    sections = [Section(np.array([0]), np.array([1])), Section(np.array([1]), np.array([0]))]
    seen = np.arange(25)
    joined = join_sections(
        channel, sections, [seen, seen], [np.r_[np.zeros(20), [-1] * 5].astype(np.int32), np.zeros(25, np.int32)],
        n_spikes_min=5,
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
