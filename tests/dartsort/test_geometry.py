"""Distances of contacts, and the contacts at every place to which a motion moves them."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.dartsort.geometry import column_pitch, registered_geometry, smallest_distance
from xephys.motion.displacement import make_motion

ZIGZAG = np.array([[0.0, 0.0], [16.0, 20.0], [0.0, 40.0], [16.0, 60.0]])


def test_the_pitch_is_that_of_a_column_and_the_distance_that_of_any_two_contacts() -> None:
    assert column_pitch(ZIGZAG) == 40.0
    assert smallest_distance(ZIGZAG) == pytest.approx(np.hypot(16, 20))
    one = np.zeros((1, 2))
    assert (column_pitch(one), smallest_distance(one)) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("displacement", "expected"), [(-45.0, [0.0, 40.0]), (90.0, [-80.0, -40.0, 0.0]), (10.0, [0.0])]
)
def test_contacts_are_shifted_by_whole_pitches_over_the_range_of_the_motion(
    displacement: float, expected: list[float]
) -> None:
    """The registered depth is the depth minus the displacement, so contacts move against the tissue."""
    motion = make_motion([[0.0], [displacement]], time_s=[0, 1], depth_um=[0.0])
    places = {(x, y + shift) for x, y in ZIGZAG for shift in expected}
    assert {tuple(place) for place in registered_geometry(ZIGZAG, motion)} == places
    assert registered_geometry(ZIGZAG, None) is ZIGZAG
