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


@pytest.mark.parametrize(("drift", "drift_um", "seed"), [("steps", 25.0, 303), ("slow", 40.0, 304)])
def test_a_neuron_that_passes_eight_contacts_is_one_unit(drift, drift_um, seed):
    """The tissue moves by about half of the 60 µm over which the contacts spread."""
    recording, truth = simulate_recording(
        duration_s=40.0, n_channels=8, n_units=3, drift=drift, drift_um=drift_um, seed=seed
    )
    sorting = xephys.sort(recording)
    compared = xephys.compare(sorting, truth).summary
    assert "motion" in sorting
    assert compared["num_well_detected"] == 3
    assert sorting["units"].sizes["unit"] == 3


def test_eight_contacts_at_rest_show_no_movement():
    """Three neurons, of which one starts and one stops halfway, look like movement to who expects all to fire."""
    parameters = {"duration_s": 40.0, "n_channels": 8, "n_units": 3, "partial_fraction": 0.7, "seed": 305}
    recording, truth = simulate_recording(**parameters)
    followed, still = xephys.sort(recording), xephys.sort(recording, drift="off")
    assert followed["spikes"].equals(still["spikes"])
    assert xephys.compare(followed, truth).summary["num_well_detected"] == 3


def test_bursts_of_large_neurons_on_a_quiet_probe_are_kept_while_the_tissue_moves():
    """Four neurons of up to 500 µV in noise of 4 µV: by loudness alone, their bursts look like movements."""
    recording, truth = simulate_recording(
        duration_s=30.0,
        n_channels=16,
        n_units=4,
        probe="neuropixels-2",
        amplitude_range_uv=(150.0, 500.0),
        bursting_fraction=1.0,
        rate_median_hz=8.0,
        noise_uv=4.0,
        spike_shapes=(("propagating", 0.5), ("slow", 0.5)),
        drift="slow",
        drift_um=25.0,
        seed=306,
    )
    compared = xephys.compare(xephys.sort(recording), truth).summary
    assert compared["num_well_detected"] == 4
    assert compared["recall"] > 0.97
