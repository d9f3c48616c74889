"""Registered features equal footprints that are known at every place."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.motion.registered import feature_centers, register_features, resting_channels, without_template
from xephys.recording.geometry import nearest_channels

ROWS = np.arange(48) // 2
POSITIONS = np.stack([np.where(np.arange(48) % 2 == 0, 16.0, 48.0) - 16.0 * (ROWS % 2), 20.0 * ROWS], axis=1)
NEIGHBORS = nearest_channels(POSITIONS, n_nearest=16)


def footprint(at: np.ndarray, y_um: float) -> np.ndarray:
    """Two components with different reach, around x = 25."""
    distance = np.linalg.norm(at - np.array([25.0, y_um]), axis=-1)
    return np.stack([20.0 / (1 + (distance / 30) ** 2), -8.0 / (1 + (distance / 45) ** 2)], axis=-1)


@pytest.mark.parametrize("moved_um", [-25.0, -7.0, 4.0, 13.0, 30.0])
def test_a_moved_footprint_is_put_back(moved_um: float) -> None:
    rest_um = 240.0
    seen = footprint(POSITIONS, rest_um + moved_um)
    peak = np.array([seen[:, 0].argmax()])
    target = resting_channels(np.array([25.0]), np.array([rest_um]), positions_um=POSITIONS)
    found = register_features(
        seen[NEIGHBORS[peak]].astype(np.float32),
        peak,
        np.array([moved_um]),
        target,
        positions_um=POSITIONS,
        neighbors=NEIGHBORS,
    )[0]
    expected = footprint(POSITIONS, rest_um)[NEIGHBORS[target[0]]]
    unmoved = seen[NEIGHBORS[target[0]]]
    # Contacts at the rim were not all measured, so the interpolation falls towards 0 there.
    inner = np.abs(POSITIONS[NEIGHBORS[target[0]], 1] - rest_um) < 40
    error = np.linalg.norm((found - expected)[inner]) / np.linalg.norm(expected[inner])
    assert error < 0.12
    if abs(moved_um) > 5:
        assert error < 0.6 * np.linalg.norm((unmoved - expected)[inner]) / np.linalg.norm(expected[inner])


def test_nothing_changes_where_nothing_moves() -> None:
    features = np.random.default_rng(0).standard_normal((5, 16, 3)).astype(np.float32)
    channel = np.arange(5) * 7
    still = np.zeros(5)
    assert resting_channels(*POSITIONS[channel].T, positions_um=POSITIONS).tolist() == channel.tolist()
    found = register_features(features, channel, still, channel, positions_um=POSITIONS, neighbors=NEIGHBORS)
    np.testing.assert_array_equal(found, features)


def test_a_spike_does_not_depend_on_its_companions() -> None:
    rng = np.random.default_rng(1)
    features = rng.standard_normal((30, 16, 3)).astype(np.float32)
    channel, moved = rng.integers(0, 48, 30), rng.uniform(-30, 30, 30)
    target = rng.integers(0, 48, 30)
    shared = {"positions_um": POSITIONS, "neighbors": NEIGHBORS}
    together = register_features(features, channel, moved, target, **shared)
    alone = [register_features(features[i : i + 1], channel[[i]], moved[[i]], target[[i]], **shared) for i in range(30)]
    np.testing.assert_array_equal(together, np.concatenate(alone))


def test_templates_are_subtracted_as_by_a_plain_loop() -> None:
    rng = np.random.default_rng(2)
    features = rng.standard_normal((12, 16, 2)).astype(np.float32)
    unit_features = rng.standard_normal((3, 5, 20, 2)).astype(np.float32)
    unit_channels = np.stack([rng.permutation(48)[:20] for _ in range(3)]).astype(np.int32)
    unit_channels[1, 4] = -1
    channel, unit = rng.integers(0, 48, 12), rng.integers(0, 3, 12)
    amplitude, place = rng.uniform(0.5, 1.5, 12), rng.uniform(-1, 5, 12)
    expected = features.astype(np.float64).copy()
    for i in range(12):
        at = np.clip(place[i], 0, 4)
        low = min(int(at), 3)
        template = (1 - (at - low)) * unit_features[unit[i], low] + (at - low) * unit_features[unit[i], low + 1]
        for j, c in enumerate(NEIGHBORS[channel[i]]):
            for k in np.flatnonzero(unit_channels[unit[i]] == c):
                expected[i, j] -= amplitude[i] * template[k]
    given = {
        "unit_index": unit,
        "amplitude": amplitude,
        "place": place,
        "neighbors": NEIGHBORS,
        "unit_features": unit_features,
        "unit_channels": unit_channels,
    }
    found = without_template(features, channel, **given)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    back = without_template(found, channel, added=True, **given)
    np.testing.assert_allclose(back, features, atol=1e-5)


@pytest.mark.parametrize("rest_um", [187.0, 240.0, 266.0])
def test_features_are_centered_where_the_neuron_is(rest_um: float) -> None:
    seen = footprint(POSITIONS, rest_um)
    peak = np.array([seen[:, 0].argmax()])
    features = seen[NEIGHBORS[peak]] + np.random.default_rng(0).standard_normal((1, 16, 2))
    at = feature_centers(features.astype(np.float32), peak, positions_um=POSITIONS, neighbors=NEIGHBORS)
    assert np.linalg.norm(at[0] - [25.0, rest_um]) < 8.0


def test_features_of_one_channel_are_centered_on_it() -> None:
    features = np.ones((1, 1, 2), np.float32)
    at = feature_centers(features, np.array([3]), positions_um=POSITIONS, neighbors=NEIGHBORS[:, :1])
    np.testing.assert_array_equal(at, POSITIONS[[3]])
