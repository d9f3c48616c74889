"""The shared simulation, read at once."""

from __future__ import annotations

import pytest

from tests.support.simulated_source import HARD
from xephys.simulation.source import SimulationSource


@pytest.fixture(scope="module")
def whole():
    return SimulationSource(HARD).read(0, HARD.n_samples).copy()
