"""Small recordings, and sorters that take no time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

import xephys
from xephys.testing import simulate_recording

RATE = 30_000


def quick_sorter(recording: Any, *, n_units: int = 2) -> xr.DataTree:
    """A sorting whose spikes follow from the length of the recording alone."""
    n_samples = recording["segment_0"].sizes["time"] if isinstance(recording, xr.DataTree) else recording.sizes["time"]
    samples = np.arange(100, n_samples, 997)
    return xephys.make_sorting(sample_index=samples, labels=np.arange(len(samples)) % n_units, recording=recording)


def failing_sorter(recording: Any) -> xr.DataTree:
    """A sorter with an error of its own."""
    raise ZeroDivisionError(f"no peaks in {recording.sizes['time']} samples")


@pytest.fixture(scope="session")
def recordings() -> dict[str, xr.DataArray]:
    """Two recordings of one second and eight channels in two groups."""
    made = {}
    for seed, name in enumerate(("monday", "tuesday")):
        recording, _ = simulate_recording(duration_s=1, n_channels=8, n_units=2, seed=seed)
        made[name] = recording.assign_coords(group=("channel", np.repeat([0, 1], 4)))
    return made
