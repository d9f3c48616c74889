"""Layouts of the simulator equal those of the probes whose names they have."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.simulation.config import make_config
from xephys.simulation.probe import make_layout
from xephys.simulation.truth import Truth


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("neuropixels-1", [(43, 0), (11, 0), (59, 20), (27, 20), (43, 40)]),
        ("neuropixels-2", [(27, 0), (59, 0), (27, 15), (59, 15), (27, 30)]),
        ("mea", [(0, 0), (42, 0), (84, 0), (0, 42), (42, 42)]),
    ],
)
def test_layouts_are_those_of_the_probes(name, first):
    assert make_layout(name, 9).xy[:5].tolist() == [list(map(float, at)) for at in first]
    truth = Truth(make_config(n_channels=9, n_units=3, duration_s=1.0, probe=name))
    assert np.abs(truth.templates).max() > 20
