"""Wrong input costs no time and is explained in one sentence."""

import numpy as np
import pytest

import xephys

from ..support.command_line import refused

RATE = 30_000


def test_results_are_not_replaced_unless_asked(simulated, sorted_folder):
    before = (sorted_folder / "sorting.zarr").stat().st_mtime_ns
    message = refused("sort", simulated / "recording", "--out", sorted_folder, status=4)
    assert "already holds sorting.zarr and phy" in message
    assert "--overwrite" in message
    assert (sorted_folder / "sorting.zarr").stat().st_mtime_ns == before
    message = refused("simulate", "--out", simulated, status=4)
    assert "already holds recording and truth.zarr" in message


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--preset", "kilosort4", "--set", "Th_learnt=7"], 2, "did you mean 'Th_learned'"),
        (["--preset", "kilosort4", "--set", "highpass_cutoff=20000"], 2, "and the Nyquist frequency"),
        (["--preset", "kilosort4", "--learn-s", "5"], 2, "preset 'kilosort4' cannot do yet"),
        (["--preset", "defualt"], 2, "did you mean 'default'"),
        (["--set", "detect_treshold=4"], 2, "did you mean 'detect_threshold'"),
        (["--set", "detect_threshold=high"], 2, "detect_threshold is 'high'"),
        (["--set", "detect_threshold=-1"], 2, "detect_threshold is '-1'"),
        (["--set", "detect_threshold"], 2, "is not KEY=VALUE"),
        (["--set", "seed=1", "--set", "seed=2"], 2, "'seed' twice"),
        (["--device", "cuda"], 2, "use --device cpu"),
        (["--device", "gpu"], 2, "device is 'gpu'"),
        (["--scheduler", "thread"], 2, "scheduler 'thread' is unknown"),
        (["--probe", "nowhere.json"], 3, "nowhere.json does not exist"),
        (["--chunk-duration-s", "0"], 2, "--chunk-duration-s is 0.0"),
        (["--set", "freq_min_hz=20000"], 2, "freq_min_hz"),
    ],
)
def test_wrong_options_are_refused_before_any_work(simulated, tmp_path, options, status, message):
    out = tmp_path / "out"
    assert message in refused("sort", simulated / "recording", "--out", out, *options, status=status)
    assert not out.exists()


def test_wrong_simulations_are_refused(tmp_path):
    for options, message in (
        (["--preset", "medium"], "choose 'easy' or 'hard'"),
        (["--set", "n_unit=4"], "did you mean 'n_units'"),
        (["--set", "n_units=4"], "--set n_units=4: give it as --n-units"),
        (["--duration-s", "-1"], "--duration-s=-1.0"),
        (["--format", "nwb"], "--format is 'nwb'"),
    ):
        assert message in refused("simulate", "--out", tmp_path / "out", *options, status=2)
    assert not (tmp_path / "out").exists()


def test_bad_recordings_are_refused(tmp_path):
    out = tmp_path / "out"
    assert "does not exist" in refused("sort", tmp_path / "none.bin", "--out", out, status=3)
    empty = tmp_path / "empty.bin"
    empty.touch()
    raw = ["--n-channels", 4, "--sampling-frequency", RATE]
    assert "empty" in refused("sort", empty, "--out", out, *raw, status=3)
    file = tmp_path / "a.bin"
    np.zeros((RATE, 4), "<i2").tofile(file)
    assert "probe" in refused("sort", file, "--out", out, *raw, status=3)
    assert "no x" in refused("sort", file, "--out", out, *raw, status=3)
    assert "NumPy does not know" in refused("sort", file, "--out", out, *raw, "--dtype", "int17", status=2)
    assert "dtype is bool; traces hold" in refused("sort", file, "--out", out, *raw, "--dtype", "bool", status=2)
    assert "and not 0, which" in refused("sort", file, "--out", out, *raw, "--gain-to-uv", 0, status=3)
    odd = ["--n-channels", 7, "--sampling-frequency", RATE]
    assert "7" in refused("sort", file, "--out", out, *odd, status=3)
    assert not out.exists()


def test_places_that_cannot_be_written_are_refused(simulated, tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.touch()
    assert "is a file" in refused("sort", simulated / "recording", "--out", file, status=4)
    monkeypatch.setattr("xephys.io.store.atomic.disk_free_bytes", lambda path: 1000)
    assert "GB free" in refused("sort", simulated / "recording", "--out", tmp_path / "out", status=4)
    assert not (tmp_path / "out").exists()


def test_an_address_without_a_scheduler_is_refused(simulated, tmp_path, monkeypatch):
    def unreachable(address, timeout):
        raise OSError("timed out")

    monkeypatch.setattr("distributed.Client", unreachable)
    out = tmp_path / "out"
    message = refused("sort", simulated / "recording", "--out", out, "--scheduler", "tcp://127.0.0.1:9", status=5)
    assert "no Dask scheduler answered at tcp://127.0.0.1:9" in message
    assert not out.exists()


def test_comparisons_that_cannot_be_made(simulated, tmp_path):
    assert "does not exist" in refused("compare", tmp_path / "a", simulated, status=3)
    (tmp_path / "b").mkdir()
    assert "not a sorting" in refused("compare", tmp_path / "b", simulated, status=3)
    assert "choose one" in refused("compare", simulated, simulated, "--figure", tmp_path / "r.jpg", status=2)
    np.savez(tmp_path / "c.npz", sample=[1])
    assert "no array sampling_frequency, unit" in refused("compare", tmp_path / "c.npz", simulated, status=3)
    np.savez(tmp_path / "d.npz", sample=[1], unit=[0], sampling_frequency=20_000)
    assert "20000 Hz" in refused("compare", tmp_path / "d.npz", simulated, status=3)


def test_a_recording_that_cannot_be_sorted_leaves_nothing(tmp_path):
    recording, _ = xephys.testing.simulate_recording(duration_s=2, n_channels=4, n_units=1)
    unusable = recording.assign_coords(bad=("channel", np.ones(4, bool)))
    xephys.save_recording(unusable, tmp_path / "a.zarr")
    assert "every channel is marked bad" in refused("sort", tmp_path / "a.zarr", "--out", tmp_path / "out", status=3)
    xephys.save_recording(recording.isel(time=slice(0, 200)), tmp_path / "b.zarr")
    assert "200 samples" in refused("sort", tmp_path / "b.zarr", "--out", tmp_path / "out", status=3)
    assert not (tmp_path / "out").exists()


def test_sortings_that_cannot_be_reused_are_refused(simulated, sorted_folder, tmp_path):
    command = ("sort", simulated / "recording", "--out", tmp_path / "out", "--learned")
    assert "does not exist" in refused(*command, tmp_path / "none", status=3)
    assert "learned nothing; give such a folder" in refused(*command, sorted_folder / "phy", status=2)
    changed = (*command, sorted_folder, "--set", "freq_min_hz=500")
    assert "freq_min_hz is 500.0 and the earlier sorting learned with 300.0" in refused(*changed, status=2)
    assert not (tmp_path / "out").exists()
