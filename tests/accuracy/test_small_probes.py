"""Small probes under realistic conditions: hash, stimuli and movements that no reference removes."""

from __future__ import annotations

import pytest

import xephys
from xephys.testing import simulate_recording


@pytest.mark.parametrize(
    ("probe", "parameters"),
    [
        ("tetrode", {"n_channels": 4, "n_units": 5, "seed": 300, "n_far_units": 60}),
        ("linear", {"n_channels": 2, "n_units": 2, "seed": 301}),
        ("linear", {"n_channels": 1, "n_units": 1, "seed": 302}),
    ],
)
def test_units_that_stand_out_are_found_and_no_artifact_becomes_one(probe, parameters):
    recording, truth = simulate_recording(
        preset="hard",
        probe=probe,
        duration_s=40.0,
        amplitude_range_uv=(120.0, 260.0),
        rate_median_hz=8.0,
        stimulation_period_s=8.0,
        movement_rate_hz=0.1,
        **parameters,
    )
    assert len(truth.artifacts_s) >= 5
    compared = xephys.compare(xephys.sort(recording), truth).summary
    assert compared["num_well_detected"] == parameters["n_units"]
    assert compared["num_false_positive"] == 0
