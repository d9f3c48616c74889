"""Fixtures of the tests of figures: a simulated recording, and its truth as a sorting."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.sorting import build_sorting
from xephys.testing import simulate_recording


@pytest.fixture(scope="module")
def simulated():
    return simulate_recording(duration_s=4.0, n_channels=8, n_units=3, seed=0)


@pytest.fixture(scope="module")
def sorting(simulated):
    """The truth as a sorting tree, with units of three kinds."""
    recording, truth = simulated
    spikes, positions = truth.spikes, truth.unit_positions
    peak = np.abs(truth.templates).max(axis=(1, 2))
    return build_sorting(
        recording,
        spikes={
            "sample_index": spikes["sample_index"],
            "unit_index": spikes["unit_index"],
            "amplitude": spikes["amplitude"],
            "y": positions[spikes["unit_index"], 1],
        },
        units={"label": ["good", "mua", "noise"], "y": positions[:, 1], "amplitude": peak, "snr": peak / 8},
        templates=truth.templates,
        nbefore=truth.nbefore,
    )
