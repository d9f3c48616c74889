"""Displacements that are interpolated: jumps there and back, bins far from the others; lasting jumps are kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.ndimage import median_filter

import xephys
from xephys.sorter.dartsort.outliers import median_around, without_outliers

LOOSE = {"speed_max_um_per_s": 500.0, "distance_max_um": 250.0, "n_bins": 51}


def motion(courses: np.ndarray, *, bin_s: float = 1.0) -> Any:
    return xephys.make_motion(
        courses, time_s=bin_s * np.arange(len(courses)), depth_um=100.0 * np.arange(courses.shape[1])
    )


def courses() -> np.ndarray:
    return np.stack([np.linspace(0, 30, 60), np.sin(np.arange(60) / 5)], axis=1)


def test_plausible_motion_is_the_same_object() -> None:
    given = motion(courses())
    assert without_outliers(given, **LOOSE) is given


@pytest.mark.parametrize("at", [0, 20, 59])
def test_a_single_wrong_bin_is_interpolated_at_its_depth_alone(at: int) -> None:
    wrong = courses()
    wrong[at, 0] += 80
    found = without_outliers(motion(wrong), **{**LOOSE, "speed_max_um_per_s": 40.0}).displacement_um.values[0]
    expected = courses()
    if at in (0, 59):  # held at the nearest bin
        expected[at, 0] = expected[abs(at - 1), 0]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_lasting_jump_is_kept_and_its_speed_is_in_seconds() -> None:
    jump = courses()
    jump[30:] += 100
    given = motion(jump)
    assert without_outliers(given, **{**LOOSE, "speed_max_um_per_s": 40.0}) is given
    there_and_back = courses()
    there_and_back[10] += 30
    slow, quick = motion(there_and_back), motion(there_and_back, bin_s=0.1)
    assert without_outliers(slow, **{**LOOSE, "speed_max_um_per_s": 40.0}) is slow
    assert without_outliers(quick, **{**LOOSE, "speed_max_um_per_s": 40.0}) is not quick


def test_bins_far_from_the_median_around_them_are_interpolated() -> None:
    far = courses()
    far[20:22] += 60
    given, near = motion(far), {**LOOSE, "distance_max_um": 40.0, "n_bins": 9}
    found = without_outliers(given, **near).displacement_um.values[0]
    np.testing.assert_allclose(found[:, 0], courses()[:, 0], atol=1e-4)
    assert without_outliers(given, **{**near, "n_bins": 1}) is given
    assert without_outliers(given, **{**near, "distance_max_um": 70.0}) is given


def test_nothing_is_changed_if_there_is_nothing_to_interpolate_from() -> None:
    given = motion(np.array([[0.0], [900.0]]))
    assert without_outliers(given, **LOOSE) is given


@pytest.mark.parametrize("n_bins", [1, 2, 3, 8, 51, 200])
def test_the_median_around_a_bin_is_that_of_scipy(n_bins: int) -> None:
    values = np.random.default_rng(0).standard_normal((2, 60, 3))
    np.testing.assert_array_equal(
        median_around(values, n_bins), median_filter(values, size=(1, n_bins, 1), mode="nearest")
    )
