"""The stage of grid convolution: its window, its prototype, and its errors."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.errors import ParameterError
from xephys.features.prototype import trough_prototype
from xephys.localize.grid_convolution import grid_convolution
from xephys.localize.window import PeakWindow

WINDOW = PeakWindow(
    positions=np.stack([np.zeros(6), 20.0 * np.arange(6)], axis=1),
    groups=None,
    separation=np.zeros((6, 2)),
    nbefore=9,
    nafter=15,
    sampling_frequency=30_000.0,
)


def test_the_default_prototype_is_a_trough():
    stage = grid_convolution(WINDOW)
    expected = trough_prototype(24, nbefore=9, sampling_frequency=30_000.0).astype("f4")
    np.testing.assert_array_equal(stage.arrays["prototype"], expected)
    assert (stage.before, stage.after, stage.emits) == (9, 15, "events")


def test_bad_input_is_refused():
    with pytest.raises(ParameterError, match=r"prototype has shape \(3,\); give one value for each of the window's 24"):
        grid_convolution(WINDOW, prototype=np.ones(3))
    with pytest.raises(ParameterError, match="radius_um is 0; it must be greater than 0"):
        grid_convolution(WINDOW, radius_um=0)
