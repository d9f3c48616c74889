"""Fixtures of the tests of bridges."""

from __future__ import annotations

from pathlib import Path

import pytest
import xarray as xr

from xephys.io.read.open import open_recording


@pytest.fixture
def from_file(recording: xr.DataArray, raw_file: Path) -> xr.DataArray:
    """The recording with every kind of label, its samples in a file."""
    opened = open_recording(raw_file, sampling_frequency=1000.0, n_channels=5, chunk_duration_s=0.7)
    return recording.copy(data=opened.data)
