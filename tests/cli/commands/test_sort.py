"""What ``xephys sort`` writes and prints; results are written whole."""

import json

import numpy as np
from rich.console import Console

import xephys
from xephys.sorter.progress import CLEAR_LINE

from ...support import device_arrays
from ...support.command_line import run


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


def test_a_terminal_shows_one_bar_and_overwrite_replaces_the_sorting(simulated, tmp_path, monkeypatch):
    out = tmp_path / "out"
    monkeypatch.setattr("xephys.cli.commands.sort.console", lambda **to: Console(**to, force_terminal=True))
    drawn = run("sort", simulated / "recording", "--out", out).stderr.split(CLEAR_LINE)[1:]
    filled = [line.count("#") for line in drawn]
    assert filled == sorted(filled)
    assert filled[-1] > filled[1]
    assert [line for line in drawn if "\n" in line] == drawn[-1:]
    assert "sorted in" in drawn[-1]
    assert any("match" in line for line in drawn)
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


def test_a_silent_recording_is_sorted_with_a_warning(tmp_path):
    recording, _ = xephys.testing.simulate_recording(duration_s=2, n_channels=4, n_units=1)
    xephys.save_recording(recording.copy(data=np.zeros(recording.shape, "i2")), tmp_path / "a.zarr")
    result = run("sort", tmp_path / "a.zarr", "--out", tmp_path / "out")
    assert "every channel is constant" in result.stderr
    assert xephys.open_sorting(tmp_path / "out" / "sorting.zarr")["units"].sizes["unit"] == 0


def test_a_sort_reuses_what_another_learned(simulated, sorted_folder, tmp_path):
    recording = xephys.open_recording(simulated / "recording")
    xephys.save_recording(xephys.time_slice(recording, 6.0), tmp_path / "later")
    run("sort", tmp_path / "later", "--out", tmp_path / "out", "--learned", sorted_folder)
    found, earlier = (xephys.open_sorting(folder / "sorting.zarr") for folder in (tmp_path / "out", sorted_folder))
    assert found["units"]["unit_id"].values.tolist() == earlier["units"]["unit_id"].values.tolist()
    assert found["learned/templates"].equals(earlier["learned/templates"])
    assert 0 < found["spikes"].sizes["spike"] < earlier["spikes"].sizes["spike"]


def test_kilosorts_files_are_written_on_request(simulated, tmp_path):
    from spikeinterface.extractors import read_kilosort

    run("sort", simulated / "recording", "--out", tmp_path / "out", "--kilosort-files")
    sorting = xephys.open_sorting(tmp_path / "out" / "sorting.zarr")
    features = np.load(tmp_path / "out" / "phy" / "pc_features.npy")
    assert features.shape == (sorting["spikes"].sizes["spike"], 6, 10)
    found = read_kilosort(tmp_path / "out" / "phy").count_num_spikes_per_unit()
    assert list(found.values()) == sorting["units"]["num_spikes"].values.tolist()


def test_noise_alone_gives_no_unit(tmp_path):
    noise = np.random.default_rng(0).normal(0, 10, (90_000, 4)).astype("i2")
    recording, _ = xephys.testing.simulate_recording(duration_s=3, n_channels=4, n_units=1)
    xephys.save_recording(recording.copy(data=noise), tmp_path / "a.zarr")
    text = run("sort", tmp_path / "a.zarr", "--out", tmp_path / "out").stdout
    assert "0 units" in text
    assert "too few spikes" in text
    assert xephys.open_sorting(tmp_path / "out" / "sorting.zarr")["units"].sizes["unit"] == 0


def test_several_paths_are_segments_of_one_sort(simulated, tmp_path):
    whole = xephys.open_recording(simulated / "recording")
    for name, part in (("a", whole[:200_000]), ("b", whole[200_000:])):
        xephys.save_recording(part, tmp_path / name)
    assert "2 segments" not in run("sort", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "out").output
    sorting = xephys.open_sorting(tmp_path / "out" / "sorting.zarr")
    assert sorting.attrs["n_samples"] == [200_000, 160_000]
    assert np.bincount(sorting["spikes"]["segment_index"].values, minlength=2).min() > 0
    from spikeinterface.extractors import read_phy

    assert (
        sum(read_phy(tmp_path / "out" / "phy").count_num_spikes_per_unit().values()) == sorting["spikes"].sizes["spike"]
    )
