"""The stage of monopolar triangulation: its neighborhood and its errors."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.errors import ParameterError
from xephys.localize.monopolar_triangulation import monopolar_triangulation
from xephys.localize.window import PeakWindow

WINDOW = PeakWindow(
    positions=np.stack([np.zeros(6), 20.0 * np.arange(6)], axis=1),
    groups=None,
    separation=np.zeros((6, 2)),
    nbefore=9,
    nafter=15,
    sampling_frequency=30_000.0,
)


def test_channels_within_the_radius_are_used():
    stage = monopolar_triangulation(WINDOW, radius_um=25.0)
    assert stage.arrays["neighbors"].tolist()[:2] == [[0, 1, -1], [0, 1, 2]]
    assert "decrease_steps" not in stage.arrays
    assert "decrease_steps" in monopolar_triangulation(WINDOW, radius_um=25.0, enforce_decrease=True).arrays


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"feature": "ptpp"}, "feature is 'ptpp'.*did you mean 'ptp'"),
        ({"radius_um": -1}, "radius_um is -1"),
        ({"distance_max_um": 0}, "distance_max_um is 0; it must be greater than 0"),
    ],
)
def test_bad_input_is_refused(parameters, message):
    with pytest.raises(ParameterError, match=message):
        monopolar_triangulation(WINDOW, **parameters)
