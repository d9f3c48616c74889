"""The truth as a sorting: the same spikes, units and templates, accepted wherever a sorting is."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from xephys.simulation.sorting import truth_sorting
from xephys.testing import simulate_recording


@pytest.fixture(scope="module")
def simulated():
    return simulate_recording(duration_s=5, n_channels=16, n_units=3, seed=0)


def test_spikes_units_and_templates_are_those_of_the_truth(simulated):
    recording, truth = simulated
    sorting = truth_sorting(recording, truth)
    for name in ("sample_index", "unit_index"):
        np.testing.assert_array_equal(sorting["spikes"][name], truth.spikes[name])
    units = sorting["units"].dataset
    np.testing.assert_array_equal(units["num_spikes"], np.bincount(truth.spikes["unit_index"], minlength=3))
    np.testing.assert_array_equal(units["channel_index"], truth.peak_channels)
    np.testing.assert_allclose(np.stack([units["x"], units["y"]], axis=1), truth.unit_positions)
    np.testing.assert_array_equal(sorting["templates"]["templates"], truth.templates)
    assert sorting["templates"]["templates"].attrs["nbefore"] == truth.nbefore


def test_it_agrees_with_the_truth(simulated, tmp_path):
    recording, truth = simulated
    sorting = truth_sorting(recording, truth)
    assert xephys.compare(sorting, truth).summary["accuracy"] == 1.0
    xephys.save_sorting(sorting, tmp_path / "truth.zarr")
    assert xephys.open_sorting(tmp_path / "truth.zarr").attrs["preset"] == "truth of a simulation"
