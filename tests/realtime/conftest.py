"""One recording of 16 channels and its sequences, shared by these tests."""

import pytest

from xephys.realtime import detect_sequences
from xephys.testing import simulate_recording


@pytest.fixture(scope="package")
def recording():
    return simulate_recording(duration_s=12, n_channels=16, n_units=4, seed=1, amplitude_range_uv=(90, 200))


@pytest.fixture(scope="package")
def sequences(recording):
    return detect_sequences(recording[0])
