"""Fixtures: a small recording on disk that sorts in seconds, and its sorting."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

import xephys
from xephys.testing import simulate_recording


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """Folder of a recording with offsets and slow waves, 32 channels × 12 s, and the truth of its eight units."""
    recording, truth = simulate_recording(
        duration_s=12.0, n_channels=32, n_units=8, seed=3, slow_wave_uv=100.0, offset_uv=50.0
    )
    path = tmp_path_factory.mktemp("sorter") / "recording"
    xephys.save_recording(recording, path, format="binary")
    return path, truth


@pytest.fixture(scope="session")
def opened(simulated: tuple[Path, Any]) -> Callable[[float], xr.DataArray]:
    """A function that opens the recording in chunks of the given number of seconds."""

    def of(chunk_duration_s: float) -> xr.DataArray:
        return xephys.open_recording(simulated[0], chunk_duration_s=chunk_duration_s)

    return of


@pytest.fixture(scope="session")
def expected(opened: Callable[[float], xr.DataArray]) -> xr.DataTree:
    """The sorting in chunks of two seconds, on threads."""
    return xephys.sort(opened(2.0))
