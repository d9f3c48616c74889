"""Which motions count as stillness."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.motion.displacement import make_motion
from xephys.motion.stillness import STILL_UM, moves

TIMES = np.arange(100) + 0.5


@pytest.mark.parametrize(("range_um", "expected"), [(0.0, False), (STILL_UM, False), (1.5 * STILL_UM, True)])
def test_a_steady_drift_counts_by_its_range(range_um, expected):
    course = np.linspace(0, range_um, 100)
    assert moves(make_motion(course[:, None], time_s=TIMES, depth_um=[0])) is expected


def test_a_rare_excursion_counts_as_still():
    course = np.zeros(100)
    course[40:44] = 50.0
    assert not moves(make_motion(course[:, None], time_s=TIMES, depth_um=[0]))


def test_motion_at_one_depth_is_enough():
    displacement = np.zeros((100, 3))
    displacement[50:, 1] = 10.0
    assert moves(make_motion(displacement, time_s=TIMES, depth_um=[0, 500, 1000]))
