"""Units: amplitudes fill the range that is asked for."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.simulation.config import make_config
from xephys.simulation.truth import Truth


def test_amplitudes_fill_the_range():
    config = make_config("hard", n_channels=64, n_units=40, amplitude_range_uv=(20, 250), amplitude_skew=1.0)
    peak = np.abs(Truth(config).templates).max(axis=(1, 2))
    assert 19 < peak.min() < 25 and 220 < peak.max() < 251
    assert np.median(peak) == pytest.approx(np.sqrt(20 * 250), rel=0.1)
