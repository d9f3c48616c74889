"""Contacts read where their tissue is equal the written sum."""

import numpy as np
import pytest

from xephys.kernels.motion.interpolate import displacement_at
from xephys.kernels.motion.shift import shift_channels, weight_table

POSITIONS = np.stack([np.tile([0.0, 32.0], 8), np.repeat(20.0 * np.arange(8), 2)], axis=1)
SHANKS = np.zeros(16, np.int64)
GOOD = np.ones(16, bool)
SHIFTS = np.arange(-60, 60.5, 0.5)
GIVEN = {"sigma_um": 20.0, "power": 2.0, "n_nearest": 6, "border_um": 20.0}


def table(method, **changes):
    return weight_table(POSITIONS, SHANKS, GOOD, SHIFTS, method=method, **{**GIVEN, **changes})


def dense(source, weight, shift):
    """Matrix (channel, channel) of one displacement."""
    matrix = np.zeros((16, 16))
    for c in range(16):
        np.add.at(matrix[c], source[shift, c], weight[shift, c])
    return matrix


def test_kriging_is_the_best_linear_estimate():
    source, weight = table("kriging", n_nearest=16)
    alike = lambda a, b: np.exp(-0.5 * (np.linalg.norm(a[:, None] - b[None], axis=2) / 20) ** 2)  # noqa: E731
    for shift in (100, 120, 131):
        places = POSITIONS + np.array([0.0, SHIFTS[shift]])
        wanted = alike(places, POSITIONS) @ np.linalg.inv(alike(POSITIONS, POSITIONS) + 0.01 * np.eye(16))
        inside = (places[:, 1] >= -20) & (places[:, 1] <= 160)
        np.testing.assert_allclose(dense(source, weight, shift)[inside], wanted[inside], atol=1e-4)


@pytest.mark.parametrize("method", ["nearest", "inverse_distance"])
def test_without_displacement_contacts_are_unchanged(method):
    np.testing.assert_allclose(dense(*table(method), 120), np.eye(16), atol=1e-4)


@pytest.mark.parametrize("method", ["kriging", "inverse_distance", "nearest"])
def test_a_displacement_by_a_row_reads_the_row_above(method):
    matrix = dense(*table(method), 160)  # 20 µm
    np.testing.assert_allclose(matrix[:14], np.eye(16, k=2)[:14], atol=0.06)


def test_tissue_beyond_the_border_is_not_read():
    source, weight = table("kriging", border_um=10.0)
    matrix = dense(source, weight, 160)
    assert not matrix[14:].any()
    assert (np.abs(matrix[:14]).sum(axis=1) > 0.9).all()


def test_bad_contacts_and_other_shanks_are_not_used():
    good, shanks = GOOD.copy(), SHANKS.copy()
    good[4], shanks[8:] = False, 1
    source, weight = weight_table(POSITIONS, shanks, good, SHIFTS, method="kriging", **GIVEN)
    for shift in (0, 100, 120, 135):
        matrix = dense(source, weight, shift)
        assert not matrix[:, 4].any()
        assert not matrix[:8, 8:].any()
        assert not matrix[8:, :8].any()
    assert dense(source, weight, 120)[4].any()


@pytest.mark.parametrize("start", [-7, 0, 3, 1000])
def test_each_sample_is_the_weighted_sum_at_its_displacement(start):
    rng = np.random.default_rng(0)
    traces = rng.normal(size=(500, 16)).astype(np.float32)
    displacement = rng.uniform(-25, 25, (1, 4, 3)).astype(np.float32)
    times, depths = np.array([-0.1, 0.3, 0.9, 1.6]), np.array([0.0, 70.0, 140.0])
    source, weight = table("kriging")
    found = shift_channels(
        traces, before=5, after=9, start=start, sampling_frequency=1000.0, origin_sample=200, first_shift_um=-60.0,
        shift_step_um=0.5, depth_um=POSITIONS[:, 1].copy(), shank_index=SHANKS, displacement_um=displacement,
        cell_time_s=times, cell_depth_um=depths, source=source, weight=weight,
    )  # fmt: skip
    assert found.shape == (486, 16)
    for t in range(0, 486, 11):
        middle = ((start + 200 + t) // 32 + 0.5) * 32 / 1000.0
        moved = displacement_at(displacement, times, depths, SHANKS, np.full(16, middle), POSITIONS[:, 1].copy(), True)
        for c in range(16):
            shift = round((moved[c] + 60) / 0.5)
            wanted = (weight[shift, c] * traces[5 + t, source[shift, c]]).sum()
            assert found[t, c] == pytest.approx(wanted, abs=1e-5)
