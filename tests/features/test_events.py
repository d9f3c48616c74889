"""Windows around events in samples."""

from __future__ import annotations

import pytest

from tests.support.spiking import RATE
from xephys import ParameterError
from xephys.features.events import window_samples


def test_window_samples():
    assert window_samples(0.5, 1.0, RATE) == (15, 30)
    assert window_samples(0, 0.001, RATE) == (0, 1)
    with pytest.raises(ParameterError, match=r"ms_before is -0.1; it must be at least 0"):
        window_samples(-0.1, 1.0, RATE)
    with pytest.raises(ParameterError, match="ms_after is 0; it must be greater than 0"):
        window_samples(0.5, 0, RATE)
