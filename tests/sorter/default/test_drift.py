"""The preset follows drift, so that no unit is in pieces;

a recording without motion is sorted as without the search.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

import xephys
from xephys.motion.displacement import displacement_at, make_motion
from xephys.motion.registered import RegisteredEvents
from xephys.motion.stillness import moves
from xephys.sorter.default.drift import moving_tissue
from xephys.testing import simulate_recording

RECORDING = {"duration_s": 40.0, "n_channels": 32, "n_units": 12, "seed": 5, "rate_median_hz": 8.0}


@pytest.fixture(scope="module")
def drifting():
    return simulate_recording(**RECORDING, drift="slow", drift_um=40.0)


@pytest.fixture(scope="module")
def followed(drifting):
    return xephys.sort(drifting[0])


def test_every_unit_is_found_in_one_piece(drifting, followed):
    comparison = xephys.compare(followed, drifting[1])
    assert comparison.units["accuracy"].values.min() > 0.95
    assert comparison.summary["num_tested_units"] == 12


def test_weak_units_are_found_while_the_tissue_moves_and_spikes_of_others_judged_at_rest(monkeypatch):
    """Interpolation leaves less of noise than of units: two of these would pass for noise if it left all of it."""
    from xephys.sorter.steps import select

    judged = []

    def without_spikes_of_others(spikes, **settings):
        judged.append(spikes)
        return leave_out(spikes, **settings)

    leave_out = select.without_spikes_of_others
    monkeypatch.setattr(select, "without_spikes_of_others", without_spikes_of_others)
    recording, truth = simulate_recording(
        duration_s=30.0, n_channels=32, n_units=20, seed=7, rate_median_hz=12.0, drift="slow", drift_um=40.0,
        amplitude_range_uv=(19.0, 60.0),
    )  # fmt: skip
    comparison = xephys.compare(xephys.sort(recording), truth)
    snr = np.array([unit["snr"] for unit in truth.units_info()])
    accuracy = comparison.units["accuracy"].values
    assert np.sum(accuracy[snr < 5] > 0.7) >= 4
    assert comparison.summary["num_tested_units"] <= 20
    assert [type(spikes) for spikes in judged] == [RegisteredEvents]


def test_the_log_says_what_was_joined(followed):
    joined = [row for row in json.loads(followed.attrs["log"]) if row.get("reason") == "pieces of a unit that drifts"]
    assert all(row["side_by_side"] <= 0.35 and row["residual"] <= 0.58 for row in joined)


def test_without_drift_correction_units_break(drifting):
    comparison = xephys.compare(xephys.sort(drifting[0], drift="off"), drifting[1])
    assert comparison.summary["num_well_detected"] < 9


def test_traces_can_be_moved_instead(drifting):
    """Moving the traces is better than ignoring the drift."""
    sorting = xephys.sort(drifting[0], drift="interpolate")
    assert "motion" in sorting.children
    assert xephys.compare(sorting, drifting[1]).summary["num_well_detected"] >= 9


def test_the_motion_is_part_of_the_sorting(drifting, followed, tmp_path):
    motion = followed["motion"].dataset
    times = np.arange(40) + 0.5
    found = displacement_at(motion, time_s=times, depth_um=150.0)
    true = drifting[1].motion.displacement(times, np.full(40, 150.0))
    assert np.abs(found - found.mean() - (true - true.mean())).max() < 8
    xephys.save_sorting(followed, tmp_path / "sorting.zarr")
    stored = xephys.open_sorting(tmp_path / "sorting.zarr")["motion"].dataset
    np.testing.assert_array_equal(stored["displacement_um"].values, motion["displacement_um"].values)


def test_a_still_recording_is_sorted_as_without_drift_correction():
    recording, _ = simulate_recording(**{**RECORDING, "duration_s": 20.0})
    followed, off = xephys.sort(recording), xephys.sort(recording, drift="off")
    assert not moves(followed["motion"].dataset)
    for node in ("spikes", "units", "templates"):
        for name, variable in off[node].dataset.variables.items():
            assert followed[node].dataset[name].values.tobytes() == variable.values.tobytes(), (node, name)


def test_motions_that_count_as_drift():
    recording, _ = simulate_recording(duration_s=2.0, n_channels=4, n_units=1)
    times = np.arange(10) + 0.5

    def tissue(course):
        return moving_tissue(recording, make_motion(np.asarray(course)[:, None], time_s=times, depth_um=[0]))

    assert tissue(np.zeros(10)) is None
    assert tissue(np.linspace(-1, 1, 10)) is None
    assert tissue(np.linspace(-5, 5, 10)) is not None
    assert moving_tissue(recording, None) is None


def test_a_probe_without_depth_is_sorted_without_motion():
    recording, _ = simulate_recording(duration_s=8.0, n_channels=4, n_units=2, seed=0, probe="tetrode")
    sorting = xephys.sort(recording)
    assert "motion" not in sorting.children
    assert sorting["units"].sizes["unit"] > 0


def test_neurons_of_a_tetrode_that_drifts_are_found_in_one_piece():
    """Its contacts span 20 µm, too little to tell the motion; without joining pieces that take turns, five units."""
    recording, truth = simulate_recording(
        duration_s=60.0, n_channels=4, n_units=3, probe="tetrode", drift="slow", drift_um=20.0,
        amplitude_range_uv=(80.0, 300.0), seed=3,
    )  # fmt: skip
    sorting = xephys.sort(recording, progress=False)
    assert "motion" not in sorting.children
    assert sorting["units"].sizes["unit"] == 3
    assert xephys.compare(sorting, truth).units["accuracy"].values.min() > 0.9
    assert sum(entry.get("reason") == "alike, and they take turns" for entry in json.loads(sorting.attrs["log"])) == 2
