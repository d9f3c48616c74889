"""Preprocessing steps from a file: applied and saved by ``xephys preprocess``, or applied before a sort."""

import numpy as np

import xephys

from ...support.command_line import refused, run

STEPS = 'steps = ["highpass_filter(freq_min_hz=250)", "common_reference"]'


def test_steps_are_applied_and_the_result_is_saved(simulated, tmp_path):
    steps = tmp_path / "steps.toml"
    steps.write_text(STEPS)
    text = run("preprocess", simulated / "recording", steps, "--out", tmp_path / "done").stdout
    assert text.startswith("2 steps")
    recording = xephys.open_recording(simulated / "recording")
    expected = recording.ephys.highpass_filter(freq_min_hz=250).ephys.common_reference()
    saved = xephys.open_recording(tmp_path / "done")
    assert saved.dtype == expected.dtype
    np.testing.assert_array_equal(saved, expected)
    run("preprocess", tmp_path / "done", steps, "--out", tmp_path / "more", "--format", "zarr", "--save-dtype", "int16")
    assert xephys.open_recording(tmp_path / "more").dtype == np.int16


def test_a_raw_file_is_read_as_the_options_say(tmp_path):
    counts = np.random.default_rng(0).integers(-99, 99, (3000, 4)).astype("uint16")
    counts.tofile(tmp_path / "raw.bin")
    steps = tmp_path / "steps.toml"
    steps.write_text('steps = ["select_channels(channel_ids=[1, 2])"]')
    reading = ("--n-channels", "4", "--sampling-frequency", "30000", "--dtype", "uint16", "--probe", "together")
    run("preprocess", tmp_path / "raw.bin", steps, "--out", tmp_path / "done", *reading)
    saved = xephys.open_recording(tmp_path / "done")
    np.testing.assert_array_equal(saved, counts[:, 1:3])
    assert {"x", "y"} <= set(saved.coords)


def test_a_sort_applies_its_steps_first(simulated, tmp_path):
    steps = tmp_path / "steps.toml"
    steps.write_text('steps = ["select_channels(channel_ids=[0, 1, 2, 3, 4, 5, 6, 7])"]')
    run("sort", simulated / "recording", "--out", tmp_path / "out", "--preprocess", steps)
    sorting = xephys.open_sorting(tmp_path / "out")
    assert sorting["templates"].sizes["channel"] == 8


def test_wrong_steps_are_refused(simulated, tmp_path):
    steps = tmp_path / "steps.toml"
    words = (simulated / "recording", steps, "--out", tmp_path / "done")
    assert "check the path" in refused("preprocess", *words, status=2)
    steps.write_text('steps = ["hipass_filter(freq_min_hz=250)"]')
    assert "did you mean 'highpass_filter'" in refused("preprocess", *words, status=2)
    sort = ("sort", simulated / "recording", "--out", tmp_path / "out", "--preprocess", steps)
    assert "did you mean 'highpass_filter'" in refused(*sort, status=2)
    steps.write_text(STEPS)
    assert "--format" in refused("preprocess", *words, "--format", "nwb", status=2)
    assert not (tmp_path / "done").exists()
