"""The preset ``kilosort4``: its accuracy, what does not change its result, its parameters and options."""

from __future__ import annotations

import json

import numpy as np
import pytest

import xephys
from tests.support.sortings import assert_identical
from tests.support.sortings import sort_kilosort4 as sort
from xephys import ParameterError
from xephys.graph.workers import local_cluster
from xephys.testing import simulate_recording

RATE = 30_000


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_easy_recordings_are_sorted(seed):
    recording, truth = simulate_recording(
        duration_s=25, n_channels=32, n_units=10, amplitude_range_uv=(60, 150), seed=seed
    )
    sorting = sort(recording)
    found = xephys.compare(sorting, truth).summary
    assert found["num_well_detected"] == 10
    assert found["num_false_positive"] == found["num_overmerged"] == 0
    assert found["accuracy"] > 0.95
    assert (sorting["units"]["label"].values == "good").mean() > 0.8


def test_the_reference_sorting_has_found_the_units(simulated, expected):
    assert xephys.compare(expected, simulated[1]).summary["num_well_detected"] == 8


@pytest.mark.parametrize("chunk_s", [0.5, 10.0])
def test_chunks_do_not_change_a_bit(opened, expected, chunk_s):
    assert_identical(sort(opened(chunk_s)), expected)


def test_a_cluster_and_a_second_run_give_the_same_sorting(opened, expected):
    with local_cluster(n_workers=2, threads_per_worker=1):
        assert_identical(sort(opened(2.0)), expected)
    assert_identical(sort(opened(2.0)), expected)


@pytest.mark.parametrize("batch_size", [15_000, 300_001])
def test_the_batch_size_does_not_change_the_result(opened, expected, batch_size):
    sorting = sort(opened(2.0), batch_size=batch_size)
    for group in ("spikes", "units", "templates", "kilosort4"):
        assert sorting[group].to_dataset().identical(expected[group].to_dataset())


def test_a_stopped_sort_resumes(opened, expected, tmp_path):
    calls = []
    sort(opened(2.0), folder=tmp_path, progress=lambda stage, done, total: calls.append((stage, done, total)))
    assert {stage for stage, *_ in calls} == {"detect", "match"}
    calls.clear()
    again = sort(opened(2.0), folder=tmp_path, progress=lambda stage, done, total: calls.append((stage, done, total)))
    assert all(done == total for _, done, total in calls)  # nothing was computed again
    assert_identical(again, expected)
    calls.clear()
    sort(opened(2.0), folder=tmp_path, Th_learned=9, progress=lambda *call: calls.append(call))
    assert [done for stage, done, _ in calls if stage == "detect"] == [6]  # a late parameter repeats only later stages
    assert next(done for stage, done, _ in calls if stage == "match") == 0


def test_the_tree_has_a_group_for_kilosorts_files(expected, tmp_path):
    own, spikes, units = expected["kilosort4"], expected["spikes"], expected["units"]
    n, k = spikes.sizes["spike"], units.sizes["unit"]
    assert own["whitening"].shape == (32, 32)
    assert own["projection"].shape == (n, 10, 6)
    assert own["template"].shape == (k, 61, 32)
    assert own["feature_channel"].shape == (k, 10)
    assert own["similarity"].shape == (k, k)
    assert own["detection_template"].shape == own["feature_norm"].shape == (n,)
    assert own["kept"].values.sum() == n
    np.testing.assert_allclose(np.diag(own["similarity"]), 1.0)
    # The mean features of a unit equal its template, so the stored features are in the order of the spikes.
    basis = own["component"].values
    for unit in range(k):
        mine = spikes["unit_index"].values == unit
        mean = own["projection"].values[mine].mean(axis=0) @ basis
        template = own["template"].values[unit][:, own["feature_channel"].values[unit]].T
        assert np.abs(mean - template).max() < 0.05 * np.abs(template).max()
    xephys.save_sorting(expected, tmp_path / "sorting.zarr")
    stored = xephys.open_sorting(tmp_path / "sorting.zarr")
    assert stored["kilosort4"].to_dataset().equals(own.to_dataset())
    assert stored.attrs["preset"] == "kilosort4"


def test_the_log_says_what_was_merged(expected):
    steps = {entry["step"] for entry in json.loads(expected.attrs["log"])}
    assert {"detect", "match"} <= steps


def test_positions_and_amplitudes_are_those_of_the_units(simulated, expected):
    truth = simulated[1]
    matched = xephys.compare(expected, truth)
    spikes = expected["spikes"]
    assert np.isfinite(spikes["x"]).all()
    assert 0.8 < float(np.median(spikes["scale"])) < 1.2
    for unit, row in enumerate(matched.units.to_dataframe().itertuples()):
        tested = int(row.tested_unit) if hasattr(row, "tested_unit") else -1
        if tested >= 0:
            mine = spikes["unit_index"].values == tested
            assert abs(np.median(spikes["y"].values[mine]) - truth.unit_positions[unit, 1]) < 40


def test_a_gap_in_the_times_loses_no_spike_at_the_end(opened):
    recording = opened(2.0)
    times = recording.time.values + np.where(np.arange(recording.sizes["time"]) < 6 * RATE, 0.0, 100.0)
    samples = sort(recording.assign_coords(time=times), tmin=1.0)["spikes"]["sample_index"].values
    assert RATE <= samples.min() < 1.5 * RATE
    assert samples.max() > 11.5 * RATE


def test_rates_refer_to_the_time_that_was_sorted(opened, expected):
    part = sort(opened(2.0), batch_downsampling=2)
    assert part["spikes"].sizes["spike"] < 0.7 * expected["spikes"].sizes["spike"]
    rates = [float(sorting["units"]["firing_rate"].sum()) for sorting in (part, expected)]
    assert rates[0] == pytest.approx(rates[1], rel=0.15)


def test_a_slice_is_counted_from_the_start_of_its_segment(opened):
    whole, part = opened(2.0), xephys.time_slice(opened(2.0), 3.0, 10.0)
    inside = sort(whole, tmin=3.0, tmax=10.0)["spikes"]["sample_index"].values
    np.testing.assert_array_equal(sort(part)["spikes"]["sample_index"].values, inside)


def test_an_opaque_array_has_the_same_spikes(opened, expected):
    """Arithmetic loses the plan, but the samples are the same."""
    opaque = xephys.scale(opened(2.0) * 1, units="counts")
    sorting = sort(opaque)
    np.testing.assert_array_equal(sorting["spikes"]["sample_index"], expected["spikes"]["sample_index"])
    part = sort(opaque, tmin=4.0)
    assert part["spikes"]["sample_index"].values.min() >= 4 * RATE


@pytest.fixture(scope="module")
def tetrodes():
    """Two tetrodes as shanks, 400 µm apart."""
    recording, truth = simulate_recording(
        duration_s=20, n_channels=8, n_units=4, seed=4, probe="tetrode", amplitude_range_uv=(80, 200)
    )
    return recording.assign_coords(shank=("channel", recording.group.values)), truth


def test_each_shank_is_sorted_separately(tetrodes):
    recording, _ = tetrodes
    shanks = recording.shank.values
    assert len(set(shanks)) == 2
    first = sort(recording, shank_idx=shanks[0])
    assert set(shanks[first["units"]["channel_index"].values]) == {shanks[0]}
    with pytest.raises(ParameterError, match=r"shank_idx is \['nowhere'\], and the recording has shanks"):
        sort(recording, shank_idx=["nowhere"])
    with pytest.raises(ParameterError, match="the recording names no shanks"):
        sort(recording.drop_vars("shank"), shank_idx=0)


def test_tetrodes_are_sorted(tetrodes):
    recording, truth = tetrodes
    assert xephys.compare(sort(recording), truth).summary["num_well_detected"] >= 3


def test_scaling_changes_no_spike(opened, expected):
    sorting = sort(opened(2.0), scale=4.0, shift=100.0)  # a power of two, which leaves rounding unchanged
    assert xephys.compare(sorting, expected).summary["accuracy"] > 0.99


@pytest.mark.parametrize(
    "parameters",
    [{"do_CAR": False}, {"templates_from_data": False}, {"nt": 41, "nt0min": 15}, {"n_templates": 3, "n_pcs": 3},
     {"x_centers": 2}, {"duplicate_spike_ms": 0}, {"whitening_range": 8, "nearest_chans": 4, "dmin": 40.0}],
    ids=str,
)  # fmt: skip
def test_other_settings_find_the_units_too(opened, simulated, parameters):
    assert xephys.compare(sort(opened(2.0), **parameters), simulated[1]).summary["num_well_detected"] >= 7
