"""``xephys simulate`` writes a whole recording and its truth."""

import json

import numpy as np

import xephys

from ...support.command_line import run


def test_simulate_writes_recording_and_truth(simulated):
    recording, truth = xephys.testing.simulate_recording(duration_s=12, n_channels=16, n_units=4, seed=1)
    saved = xephys.open_recording(simulated / "recording")
    np.testing.assert_array_equal(saved.isel(time=slice(0, 1000)).values, recording.isel(time=slice(0, 1000)).values)
    np.testing.assert_array_equal(saved.y.values, recording.y.values)
    stored = xephys.open_sorting(simulated / "truth.zarr")
    np.testing.assert_array_equal(stored["spikes"]["sample_index"].values, truth.spikes["sample_index"])
    assert json.loads((simulated / "info.json").read_text())["units_info"][0]["unit"] == 0
    assert sorted(p.name for p in simulated.iterdir()) == ["far.npz", "info.json", "recording", "truth.zarr"]


def test_simulate_takes_every_parameter(tmp_path):
    options = ["--set", "probe=tetrode", "--set", "amplitude_range_uv=(90, 100)", "--format", "zarr"]
    run("simulate", "--out", tmp_path / "a", "--duration-s", 1, "--n-channels", 4, "--n-units", 1, *options)
    saved = xephys.open_recording(tmp_path / "a" / "recording.zarr")
    assert sorted(set(saved.x.values.tolist())) == [0.0, 20.0]
