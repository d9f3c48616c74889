"""What each command writes and prints; what it writes is whole."""

import json
import shutil

import numpy as np

import xephys
from xephys.cli.paths import find_sorting

from ..support import device_arrays
from .commands import refused, run


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


def test_sort_writes_whole_results_and_nothing_else(sorted_folder):
    assert sorted(p.name for p in sorted_folder.iterdir()) == [".work", "phy", "sorting.zarr"]
    sorting = xephys.open_sorting(sorted_folder / "sorting.zarr")
    assert sorting["units"].sizes["unit"] >= 3
    from spikeinterface.extractors import read_phy

    assert sum(read_phy(sorted_folder / "phy").count_num_spikes_per_unit().values()) == sorting["spikes"].sizes["spike"]


def test_sort_equals_the_function(simulated, sorted_folder):
    direct = xephys.open_recording(simulated / "recording").ephys.sort()
    stored = xephys.open_sorting(sorted_folder / "sorting.zarr")
    for name in ("sample_index", "unit_index"):
        np.testing.assert_array_equal(stored["spikes"][name].values, direct["spikes"][name].values)


def test_compare_prints_the_table_and_draws(simulated, sorted_folder, tmp_path):
    figure = tmp_path / "report.png"
    text = run("compare", sorted_folder, simulated, "--figure", figure).stdout
    ours = xephys.compare(find_sorting(sorted_folder), find_sorting(simulated))
    assert f"mean accuracy {ours.summary['accuracy']:.3f}" in text
    assert "4 true and" in text
    assert figure.stat().st_size > 30_000
    assert "exists already" in refused("compare", sorted_folder, simulated, "--figure", figure, status=4)
    run("compare", sorted_folder, simulated, "--figure", figure, "--overwrite")
    run("compare", sorted_folder / "phy", simulated / "truth.zarr")
    assert [p.name for p in tmp_path.iterdir()] == ["report.png"]


def test_compare_of_a_folder_with_both_takes_its_truth(simulated, sorted_folder, tmp_path):
    shutil.copytree(simulated / "truth.zarr", tmp_path / "truth.zarr")
    shutil.copytree(sorted_folder / "sorting.zarr", tmp_path / "sorting.zarr")
    assert run("compare", tmp_path, tmp_path).stdout == run("compare", sorted_folder, simulated).stdout


def test_info_says_what_is_there(simulated):
    text = run("info", simulated / "recording").stdout
    for fact in (
        "16 (0 to 15)",
        "30000 Hz",
        "12 s (360,000 samples)",
        "0.195 µV per count",
        "16 contacts",
        "1 task each",
    ):
        assert fact in text


def test_info_of_a_raw_file(tmp_path):
    file = tmp_path / "a.bin"
    np.zeros((3000, 2), "<i2").tofile(file)
    text = run("info", file, "--n-channels", 2, "--sampling-frequency", 1000, "--dtype", "int16").stdout
    assert "3 s (3,000 samples)" in text
    assert "none: sorting needs one" in text


def test_overwrite_replaces(simulated, tmp_path):
    out = tmp_path / "out"
    run("sort", simulated / "recording", "--out", out)
    run("sort", simulated / "recording", "--out", out, "--overwrite", "--set", "detect_threshold=7")
    assert xephys.open_sorting(out / "sorting.zarr").attrs["parameters"].count('"detect_threshold": 7.0') == 1
    assert sorted(p.name for p in out.iterdir()) == [".work", "phy", "sorting.zarr"]


def test_another_preset_with_its_parameters(simulated, tmp_path):
    out = tmp_path / "out"
    settings = ["Th_learned=7", "nblocks=0", "bad_channels=3,5", "max_cluster_subset=None"]
    words = [word for setting in settings for word in ("--set", setting)]
    run("sort", simulated / "recording", "--out", out, "--preset", "kilosort4", *words)
    sorting = xephys.open_sorting(out / "sorting.zarr")
    known = json.loads(sorting.attrs["parameters"])
    assert (sorting.attrs["preset"], known["Th_learned"], known["bad_channels"]) == ("kilosort4", 7.0, ["3", "5"])
    assert known["max_cluster_subset"] is None
    assert not np.isin(sorting["units"]["channel_index"], [3, 5]).any()
    features = np.load(out / "phy" / "pc_features.npy")
    assert features.shape == (sorting["spikes"].sizes["spike"], 6, 10)
    assert run("compare", out, simulated).exit_code == 0


def test_the_device_reaches_the_kernels(simulated, sorted_folder, tmp_path):
    with device_arrays.installed("cuda"), device_arrays.counted() as copies:
        run("sort", simulated / "recording", "--out", tmp_path / "out", "--device", "cuda")
    assert len(copies.up) > 12
    found, expected = (xephys.open_sorting(f / "sorting.zarr")["spikes"] for f in (tmp_path / "out", sorted_folder))
    np.testing.assert_array_equal(found["sample_index"].values, expected["sample_index"].values)


def test_a_silent_recording_is_sorted_and_said_to_be_silent(tmp_path):
    recording, _ = xephys.testing.simulate_recording(duration_s=2, n_channels=4, n_units=1)
    xephys.save_recording(recording.copy(data=np.zeros(recording.shape, "i2")), tmp_path / "a.zarr")
    result = run("sort", tmp_path / "a.zarr", "--out", tmp_path / "out")
    assert "every channel is constant" in result.stderr
    assert xephys.open_sorting(tmp_path / "out" / "sorting.zarr")["units"].sizes["unit"] == 0


def test_sort_with_what_was_learned(simulated, sorted_folder, tmp_path):
    recording = xephys.open_recording(simulated / "recording")
    xephys.save_recording(xephys.time_slice(recording, 6.0), tmp_path / "later")
    run("sort", tmp_path / "later", "--out", tmp_path / "out", "--learned", sorted_folder)
    found, earlier = (xephys.open_sorting(folder / "sorting.zarr") for folder in (tmp_path / "out", sorted_folder))
    assert found["units"]["unit_id"].values.tolist() == earlier["units"]["unit_id"].values.tolist()
    assert found["learned/templates"].equals(earlier["learned/templates"])
    assert 0 < found["spikes"].sizes["spike"] < earlier["spikes"].sizes["spike"]


def test_kilosort_files(simulated, tmp_path):
    from spikeinterface.extractors import read_kilosort

    run("sort", simulated / "recording", "--out", tmp_path / "out", "--kilosort-files")
    sorting = xephys.open_sorting(tmp_path / "out" / "sorting.zarr")
    features = np.load(tmp_path / "out" / "phy" / "pc_features.npy")
    assert features.shape == (sorting["spikes"].sizes["spike"], 6, 10)
    found = read_kilosort(tmp_path / "out" / "phy").count_num_spikes_per_unit()
    assert list(found.values()) == sorting["units"]["num_spikes"].values.tolist()


def test_noise_alone_is_sorted_into_nothing(tmp_path):
    noise = np.random.default_rng(0).normal(0, 10, (90_000, 4)).astype("i2")
    recording, _ = xephys.testing.simulate_recording(duration_s=3, n_channels=4, n_units=1)
    xephys.save_recording(recording.copy(data=noise), tmp_path / "a.zarr")
    text = run("sort", tmp_path / "a.zarr", "--out", tmp_path / "out").stdout
    assert "0 units" in text
    assert "too few spikes" in text
    assert xephys.open_sorting(tmp_path / "out" / "sorting.zarr")["units"].sizes["unit"] == 0
