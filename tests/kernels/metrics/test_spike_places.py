"""Positions and sizes of spikes from their features equal those of plain loops."""

from __future__ import annotations

import numpy as np

from xephys.kernels.metrics.spike_places import features_on, place_spikes
from xephys.recording.geometry import nearest_channels

POSITIONS = np.stack([np.arange(10) % 2 * 32.0, np.arange(10) // 2 * 20.0], axis=1)
NEIGHBORS = nearest_channels(POSITIONS, n_nearest=6)


def spikes(n=60, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, 6, 3)).astype("f4"), rng.integers(0, 10, n)


def test_places_and_norms():
    projection, channels = spikes()
    good = np.arange(10) != 4
    centers, norms = place_spikes(
        projection, channels, NEIGHBORS, positions=POSITIONS, n_nearest=4, limit_um=35.0, good=good
    )
    for k in range(60):
        slots = NEIGHBORS[channels[k]]
        distance = np.linalg.norm(POSITIONS[slots] - POSITIONS[channels[k]], axis=1).round(3)
        usable = np.flatnonzero(good[slots])
        nearest = usable[np.argsort(distance[usable], kind="stable")[:4]]
        norm = np.linalg.norm(projection[k], axis=1)
        np.testing.assert_allclose(norms[k], np.linalg.norm(norm[nearest]), rtol=1e-5)
        near = nearest[distance[nearest] <= 35.0]
        np.testing.assert_allclose(centers[k], norm[near] @ POSITIONS[slots[near]] / norm[near].sum(), rtol=1e-5)


def test_a_spike_without_features_is_at_its_channel():
    centers, norms = place_spikes(
        np.zeros((1, 6, 3), np.float32), np.array([7]), NEIGHBORS, positions=POSITIONS, n_nearest=4, limit_um=50.0,
        good=np.ones(10, bool),
    )  # fmt: skip
    assert (centers[0].tolist(), norms[0]) == (POSITIONS[7].tolist(), 0.0)


def test_features_on_the_channels_of_the_units():
    projection, channels = spikes()
    units = np.arange(60) % 2
    wanted = np.array([[0, 1, 2], [7, 8, -1]], np.int32)
    found = features_on(projection, channels, units, NEIGHBORS, wanted)
    for k in range(60):
        for slot, channel in enumerate(wanted[units[k]]):
            at = np.flatnonzero(NEIGHBORS[channels[k]] == channel)
            expected = projection[k, at[0]] if channel >= 0 and at.size else np.zeros(3)
            np.testing.assert_array_equal(found[k, slot], expected)
