"""Probes are divided into sections; channels common to spikes, and features gathered on them."""

import numpy as np
import pytest

from xephys.kernels.cluster.sections import (
    Section,
    centered_sections,
    gather_features,
    section_channels,
    spatial_sections,
)


def grid(n_rows, n_columns, pitch=20.0):
    return np.array([[pitch * c, pitch * r] for r in range(n_rows) for c in range(n_columns)])


PROBES = {
    "two columns": grid(64, 2),
    "linear": grid(32, 1, 25.0),
    "tetrode": grid(2, 2, 12.5),
    "two shanks": np.vstack([grid(8, 2), grid(8, 2) + np.array([250.0, 0.0])]),
    "one channel": np.zeros((1, 2)),
    "staggered": np.array([[[0, 32, 16, 48][i % 4], 20.0 * (i // 2)] for i in range(40)], float),
}


@pytest.mark.parametrize("probe", PROBES)
def test_every_channel_has_one_core(probe):
    positions = PROBES[probe]
    sections = spatial_sections(positions)
    assert sorted(np.concatenate([s.core for s in sections]).tolist()) == list(range(len(positions)))
    for section in sections:
        assert not set(section.core) & set(section.margin)
        assert (np.ptp(positions[section.core], axis=0) <= 40).all()
        gap = np.linalg.norm(positions[section.margin][:, None] - positions[section.core][None], axis=2)
        assert section.margin.size == 0 or gap.min(axis=1).max() <= 30


def test_shanks_have_separate_sections():
    positions = PROBES["two shanks"]
    for section in spatial_sections(positions):
        assert np.ptp(positions[np.r_[section.core, section.margin], 0]) < 100


def test_no_channels():
    assert spatial_sections(np.zeros((0, 2))) == []


def test_positions_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="not finite"):
        spatial_sections(np.array([[0.0, np.nan]]))
    with pytest.raises(ValueError, match="core_um is 0"):
        spatial_sections(np.zeros((2, 2)), core_um=0)


@pytest.mark.parametrize("n_neighbors", [3, 12])
def test_gathered_features_equal_lookup(n_neighbors):
    rng = np.random.default_rng(1)
    positions = PROBES["two columns"][:40]
    distance = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    neighbors = np.sort(np.argsort(distance, axis=1, kind="stable")[:, :n_neighbors], axis=1).astype(np.int32)
    neighbors[0, -1] = -1
    section = spatial_sections(positions)[1]
    channels, slots = section_channels(section, neighbors)
    assert len(channels) >= 6
    peak = rng.choice(np.r_[section.core, section.margin], 50).astype(np.int64)
    projection = rng.standard_normal((50, n_neighbors, 3)).astype("float32")
    gathered = gather_features(projection, peak, slots).reshape(50, len(channels), 3)
    for i in range(50):
        for j, channel in enumerate(channels):
            at = np.flatnonzero(neighbors[peak[i]] == channel)
            expected = projection[i, at[0]] if len(at) else np.zeros(3)
            np.testing.assert_array_equal(gathered[i, j], expected)


def test_common_channels_are_preferred():
    neighbors = np.array([[0, 1, 2], [0, 1, 2], [1, 2, 3]], np.int32)
    neighbors = np.vstack([neighbors, [[1, 2, 3]]]).astype(np.int32)
    channels, _ = section_channels(Section(np.array([1]), np.array([0, 2])), neighbors, n_channels_min=2)
    assert channels.tolist() == [1, 2]


def test_a_section_without_spikes():
    gathered = gather_features(np.zeros((0, 5, 3), np.float32), np.zeros(0, np.int64), np.zeros((4, 2), np.int32))
    assert gathered.shape == (0, 6)


@pytest.mark.parametrize("probe", PROBES)
def test_centered_sections_own_every_channel_once_and_stay_on_a_shank(probe):
    positions = PROBES[probe]
    shanks = (positions[:, 0] > 200).astype(int)
    sections = centered_sections(positions, shanks=shanks, height_um=40.0, margin_um=30.0)
    assert sorted(np.concatenate([s.core for s in sections]).tolist()) == list(range(len(positions)))
    for section in sections:
        assert np.ptp(positions[section.core, 1]) <= 40.0
        assert len(set(shanks[np.concatenate([section.core, section.margin])])) == 1
        others = np.flatnonzero(shanks == shanks[section.core[0]])
        distance = np.linalg.norm(positions[others, None] - positions[section.core], axis=2).min(axis=1)
        inside = np.concatenate([section.core, section.margin])
        assert sorted(inside.tolist()) == others[distance <= 30.0].tolist()


def test_there_are_as_many_centers_in_x_as_requested():
    wide = grid(4, 8, 50.0)
    assert len(centered_sections(wide, shanks=np.zeros(32, int), height_um=1000.0)) == 7  # one for each 50 µm of 350
    for n in (1, 2, 4):
        parts = centered_sections(wide, shanks=np.zeros(32, int), height_um=1000.0, n_x_centers=n)
        assert len(parts) == n
        assert all(len(part.core) == 32 // n for part in parts)
        assert all(not len(part.margin) for part in parts)


def test_centered_sections_of_impossible_sizes_are_refused():
    with pytest.raises(ValueError, match="height_um is 0"):
        centered_sections(grid(2, 2), shanks=np.zeros(4, int), height_um=0)
    with pytest.raises(ValueError, match="n_x_centers 0"):
        centered_sections(grid(2, 2), shanks=np.zeros(4, int), height_um=40, n_x_centers=0)
