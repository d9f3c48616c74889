"""Fixtures of the tests of figures of tracks: simulated sessions, their truth, and their tracks."""

import pytest

from xephys import track_units
from xephys.testing import simulate_sessions


@pytest.fixture(scope="package")
def sessions():
    return simulate_sessions(n_sessions=4, n_neurons=15, n_channels=64, tilt_max_um=20.0, seed=3)


@pytest.fixture(scope="package")
def tracks(sessions):
    return track_units(sessions[0], names=["mon", "tue", "wed", "thu"])
