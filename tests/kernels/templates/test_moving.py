"""Templates as functions of displacement equal footprints that are known at every displacement."""

from __future__ import annotations

import numpy as np

from xephys.kernels.templates.moving import factor_moving, moving_templates

POSITIONS = np.stack([16.0 * (np.arange(40) % 2), 20.0 * (np.arange(40) // 2)], axis=1)
GRID = np.arange(-20.0, 21.0, 2.0)
COURSE = np.array([0.0, -3.0, -9.0, 2.0, 4.0, 1.0])


def true_templates(y_um: float = 190.0) -> np.ndarray:
    """(displacement, sample, channel)"""
    distance = np.hypot(POSITIONS[:, 0] - 8.0, POSITIONS[:, 1] - (y_um + GRID[:, None]))
    return COURSE[None, :, None] / (1 + (distance[:, None, :] / 35.0) ** 2)


def relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def learned(counts: np.ndarray, *, noise: float = 0.0, **more):
    rng = np.random.default_rng(0)
    expected = true_templates()
    scatter = noise / np.sqrt(np.maximum(counts, 1))[:, None, None] * rng.standard_normal(expected.shape)
    means = np.where(counts[:, None, None] > 0, expected + scatter, 1e6).astype(np.float32)
    channels = np.arange(40, dtype=np.int32)[None]
    found, n = moving_templates(
        means[None], counts[None], displacement_um=GRID, channels=channels, positions_um=POSITIONS, **more
    )
    return found[0], n[0], expected


def test_with_many_spikes_the_templates_are_the_true_ones() -> None:
    found, n, expected = learned(np.full(21, 400), noise=1.0)
    assert all(relative_error(found[i], expected[i]) < 0.02 for i in range(21))
    assert n.min() >= 400


def test_displacements_without_spikes_are_filled_from_those_nearby() -> None:
    counts = np.full(21, 400)
    counts[8:12] = 0  # 8 µm without a spike
    found, n, expected = learned(counts)
    assert max(relative_error(found[i], expected[i]) for i in range(8, 12)) < 0.06
    assert relative_error(expected[7], expected[10]) > 0.1  # the error without moving them
    assert n.min() > 0


def test_a_unit_seen_at_one_displacement_is_moved_to_all() -> None:
    counts = np.zeros(21, np.int64)
    counts[10] = 1000
    found, _, expected = learned(counts)
    assert relative_error(found[10], expected[10]) < 1e-6
    assert relative_error(found[15], expected[15]) < 0.1
    assert relative_error(expected[10], expected[15]) > 0.19


def test_other_displacements_can_be_requested() -> None:
    found, _, expected = learned(np.full(21, 400), wanted_um=np.zeros(1))
    assert found.shape[0] == 1
    assert relative_error(found[0], expected[10]) < 0.02


def test_a_unit_without_spikes_has_no_template() -> None:
    found, n, _ = learned(np.zeros(21, np.int64))
    assert not found.any() and not n.any()


def test_empty_slots_stay_empty() -> None:
    channels = np.arange(40, dtype=np.int32)[None].copy()
    channels[0, 3] = -1
    means = np.ones((1, 2, 6, 40), np.float32)
    found, _ = moving_templates(
        means, np.full((1, 2), 100), displacement_um=np.array([0.0, 2.0]), channels=channels, positions_um=POSITIONS
    )
    assert not found[:, :, :, 3].any()


def test_factors_keep_what_a_few_time_courses_explain() -> None:
    rng = np.random.default_rng(1)
    courses = rng.standard_normal((2, 30))
    patterns = rng.standard_normal((3, 7, 2, 10))
    templates = np.einsum("rs,udrk->udsk", courses, patterns).astype(np.float32)
    channels = np.tile(np.arange(10, dtype=np.int32), (3, 1))
    temporal, found = factor_moving(templates, counts=np.full((3, 7), 50), channels=channels, rank=2)
    np.testing.assert_allclose(np.einsum("urs,udrk->udsk", temporal, found), templates, atol=1e-4)
    np.testing.assert_allclose(np.einsum("urs,uqs->urq", temporal, temporal), np.tile(np.eye(2), (3, 1, 1)), atol=1e-5)
