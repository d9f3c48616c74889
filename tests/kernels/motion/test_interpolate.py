"""Interpolation of displacement equals SciPy's and its own definition."""

import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator

from xephys.kernels.motion.interpolate import displacement_at

TIMES, DEPTHS = np.array([0.5, 1.5, 2.5, 4.0]), np.array([0.0, 300.0, 900.0])


@pytest.fixture
def points():
    rng = np.random.default_rng(3)
    return rng.integers(0, 2, 500), rng.uniform(-1, 6, 500), rng.uniform(-200, 1200, 500)


@pytest.fixture
def cells():
    return np.random.default_rng(2).normal(0, 20, (2, 4, 3))


def test_linear_in_time_and_depth_and_constant_beyond(cells, points):
    shank, time, depth = points
    found = displacement_at(cells, TIMES, DEPTHS, shank, time, depth, False)
    inside = np.column_stack([time.clip(TIMES[0], TIMES[-1]), depth.clip(DEPTHS[0], DEPTHS[-1])])
    wanted = np.array(
        [RegularGridInterpolator((TIMES, DEPTHS), cells[s])(p)[0] for s, p in zip(shank, inside, strict=True)]
    )
    np.testing.assert_allclose(found, wanted, atol=1e-9)


def test_registered_depths_are_inverted(cells, points):
    shank, time, registered = points
    displacement = displacement_at(cells, TIMES, DEPTHS, shank, time, registered, True)
    seen = registered + displacement
    np.testing.assert_allclose(displacement_at(cells, TIMES, DEPTHS, shank, time, seen, False), displacement, atol=1e-4)
    assert np.abs(displacement).max() > 10


def test_points_do_not_depend_on_each_other(cells, points):
    shank, time, depth = points
    together = displacement_at(cells, TIMES, DEPTHS, shank, time, depth, False)
    alone = [
        displacement_at(cells, TIMES, DEPTHS, shank[i : i + 1], time[i : i + 1], depth[i : i + 1], False)[0]
        for i in range(len(time))
    ]
    assert together.tolist() == alone


def test_a_single_cell_is_valid_everywhere():
    one = np.full((1, 1, 1), 7.0)
    zero = np.zeros(3, np.int64)
    found = displacement_at(one, TIMES[:1], DEPTHS[:1], zero, np.array([-5.0, 0.5, 9.0]), np.zeros(3), True)
    assert found.tolist() == [7.0, 7.0, 7.0]
