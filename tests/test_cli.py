"""The command line: what it writes is whole, what it refuses costs nothing, and the exit status says which."""

import json
import os
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
from typer.testing import CliRunner

import xephys
from xephys import console
from xephys.cli import app
from xephys.errors import OutputError, ParameterError, RecordingError, ResourceError, XephysWarning
from xephys.finding import find_sorting

from . import device_arrays
from .processes import hear_ctrl_c

RATE = 30_000


def run(*words, expect=0):
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, [str(word) for word in words])
    assert result.exit_code == expect, (result.exit_code, result.output, result.exception)
    return result


def refused(*words, status):
    """The one sentence on the error stream of a command that must fail with this status."""
    result = run(*words, expect=status)
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    return result.stderr


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "simulated"
    run("simulate", "--out", folder, "--duration-s", 12, "--n-channels", 16, "--n-units", 4, "--seed", 1)
    return folder


@pytest.fixture(scope="module")
def sorted_folder(simulated):
    out = simulated.parent / "sorted"
    run("sort", simulated / "recording", "--out", out)
    return out


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


def test_results_are_not_replaced_unless_asked(simulated, sorted_folder):
    before = (sorted_folder / "sorting.zarr").stat().st_mtime_ns
    message = refused("sort", simulated / "recording", "--out", sorted_folder, status=4)
    assert "already holds sorting.zarr and phy" in message
    assert "--overwrite" in message
    assert (sorted_folder / "sorting.zarr").stat().st_mtime_ns == before
    message = refused("simulate", "--out", simulated, status=4)
    assert "already holds recording and truth.zarr" in message


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
        (["--chunk-duration-s", "0"], 2, "chunk_duration_s"),
        (["--set", "freq_min_hz=20000"], 2, "freq_min_hz"),
    ],
)
def test_wrong_options_are_refused_before_any_work(simulated, tmp_path, options, status, message):
    out = tmp_path / "out"
    assert message in refused("sort", simulated / "recording", "--out", out, *options, status=status)
    assert not out.exists()


def test_the_device_reaches_the_kernels(simulated, sorted_folder, tmp_path):
    with device_arrays.installed("cuda"), device_arrays.counted() as copies:
        run("sort", simulated / "recording", "--out", tmp_path / "out", "--device", "cuda")
    assert len(copies.up) > 12
    found, expected = (xephys.open_sorting(f / "sorting.zarr")["spikes"] for f in (tmp_path / "out", sorted_folder))
    np.testing.assert_array_equal(found["sample_index"].values, expected["sample_index"].values)


def test_wrong_simulations_are_refused(tmp_path):
    for options, message in (
        (["--preset", "medium"], "choose 'easy' or 'hard'"),
        (["--set", "n_unit=4"], "did you mean 'n_units'"),
        (["--duration-s", "-1"], "duration_s"),
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
    odd = ["--n-channels", 7, "--sampling-frequency", RATE]
    assert "7" in refused("sort", file, "--out", out, *odd, status=3)
    assert not out.exists()


def test_bad_places_are_refused(simulated, tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.touch()
    assert "is a file" in refused("sort", simulated / "recording", "--out", file, status=4)
    monkeypatch.setattr("xephys.io.atomic.disk_free_bytes", lambda path: 1000)
    assert "GB free" in refused("sort", simulated / "recording", "--out", tmp_path / "out", status=4)
    assert not (tmp_path / "out").exists()


def test_no_scheduler_at_the_address(simulated, tmp_path, monkeypatch):
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
    assert "no sorting" in refused("compare", tmp_path / "b", simulated, status=3)
    assert "choose one" in refused("compare", simulated, simulated, "--figure", tmp_path / "r.jpg", status=2)
    np.savez(tmp_path / "c.npz", sample=[1])
    assert "no array sampling_frequency, unit" in refused("compare", tmp_path / "c.npz", simulated, status=3)
    np.savez(tmp_path / "d.npz", sample=[1], unit=[0], sampling_frequency=20_000)
    assert "20000 Hz" in refused("compare", tmp_path / "d.npz", simulated, status=3)


def test_an_interrupt_says_how_to_go_on(simulated, tmp_path, monkeypatch):
    out = tmp_path / "out"
    monkeypatch.setattr("xephys.sorter.run.sort", _interrupt)
    result = run("sort", simulated / "recording", "--out", out, expect=130)
    assert str(out / ".work") in result.stderr
    assert "goes on from there" in result.stderr
    monkeypatch.undo()
    run("sort", simulated / "recording", "--out", out)
    assert sorted(p.name for p in out.iterdir()) == [".work", "phy", "sorting.zarr"]


def _interrupt(recording, *, folder, **_):
    (folder / "chunk.npy").touch()
    raise KeyboardInterrupt


def test_an_interrupt_before_anything_is_finished_leaves_nothing(simulated, tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("xephys.sorter.run.sort", interrupt)
    result = run("sort", simulated / "recording", "--out", tmp_path / "out", expect=130)
    assert "what was not finished has been removed" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_useless_recording_leaves_nothing(tmp_path):
    recording, _ = xephys.testing.simulate_recording(duration_s=2, n_channels=4, n_units=1)
    unusable = recording.assign_coords(bad=("channel", np.ones(4, bool)))
    xephys.save_recording(unusable, tmp_path / "a.zarr")
    assert "every channel is marked bad" in refused("sort", tmp_path / "a.zarr", "--out", tmp_path / "out", status=3)
    xephys.save_recording(recording.isel(time=slice(0, 200)), tmp_path / "b.zarr")
    assert "200 samples" in refused("sort", tmp_path / "b.zarr", "--out", tmp_path / "out", status=3)
    assert not (tmp_path / "out").exists()


def test_a_silent_recording_is_sorted_and_said_to_be_silent(tmp_path):
    recording, _ = xephys.testing.simulate_recording(duration_s=2, n_channels=4, n_units=1)
    xephys.save_recording(recording.copy(data=np.zeros(recording.shape, "i2")), tmp_path / "a.zarr")
    result = run("sort", tmp_path / "a.zarr", "--out", tmp_path / "out")
    assert "every channel is constant" in result.stderr
    assert xephys.open_sorting(tmp_path / "out" / "sorting.zarr")["units"].sizes["unit"] == 0


def test_a_failure_in_the_middle_leaves_no_results(simulated, tmp_path, monkeypatch):
    out = tmp_path / "out"

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("xephys.io.phy.export_phy", fail)
    message = refused("sort", simulated / "recording", "--out", out, status=5)
    assert "no space left" in message
    assert "goes on from there" in message
    assert (out / ".work").is_dir()
    monkeypatch.undo()
    run("sort", simulated / "recording", "--out", out)  # sorting.zarr is there, phy is not: goes on without --overwrite
    assert sorted(p.name for p in out.iterdir()) == [".work", "phy", "sorting.zarr"]


def test_the_work_folder_is_removed_when_asked(simulated, tmp_path):
    out = tmp_path / "out"
    run("sort", simulated / "recording", "--out", out, "--discard-work")
    assert sorted(p.name for p in out.iterdir()) == ["phy", "sorting.zarr"]


def test_a_late_parameter_in_the_same_folder(simulated, tmp_path):
    """Only what depends on it is written anew."""
    out = tmp_path / "out"

    def files():
        return {p: (p.stat().st_ino, p.stat().st_mtime_ns) for p in (out / ".work").rglob("*") if p.is_file()}

    run("sort", simulated / "recording", "--out", out)
    first = files()
    assert any(p.name.startswith("chunk_") for p in first)
    run("sort", simulated / "recording", "--out", out, "--overwrite", "--set", "contamination_max=0.1")
    assert files() == first
    assert '"contamination_max": 0.1' in xephys.open_sorting(out / "sorting.zarr").attrs["parameters"]
    run("sort", simulated / "recording", "--out", out, "--overwrite", "--set", "match_threshold=15")
    second = files()
    assert {p: second[p] for p in first} == first
    new = {p.parent.name if p.name.startswith("chunk_") else p.name for p in set(second) - set(first)}
    # What follows the first use of the threshold, in the refinements; neither estimates, nor detection, nor clusters.
    again = {name.rsplit("-", 1)[0] for name in new}
    assert {"match_and_project", "localize_center_of_mass", "sum_waveforms"} <= again
    assert again <= {
        "match_and_project", "refine_clusters", "estimate_noise_gain", "localize_center_of_mass", "sum_waveforms"
    }  # fmt: skip


def test_sort_with_what_was_learned(simulated, sorted_folder, tmp_path):
    recording = xephys.open_recording(simulated / "recording")
    xephys.save_recording(xephys.time_slice(recording, 6.0), tmp_path / "later")
    run("sort", tmp_path / "later", "--out", tmp_path / "out", "--learned", sorted_folder)
    found, earlier = (xephys.open_sorting(folder / "sorting.zarr") for folder in (tmp_path / "out", sorted_folder))
    assert found["units"]["unit_id"].values.tolist() == earlier["units"]["unit_id"].values.tolist()
    assert found["learned/templates"].equals(earlier["learned/templates"])
    assert 0 < found["spikes"].sizes["spike"] < earlier["spikes"].sizes["spike"]


def test_what_cannot_be_learned_from_is_refused(simulated, sorted_folder, tmp_path):
    command = ("sort", simulated / "recording", "--out", tmp_path / "out", "--learned")
    assert "does not exist" in refused(*command, tmp_path / "none", status=3)
    assert "learned nothing; give the folder" in refused(*command, sorted_folder / "phy", status=2)
    changed = (*command, sorted_folder, "--set", "freq_min_hz=500")
    assert "freq_min_hz is 500.0 and the earlier sorting learned with 300.0" in refused(*changed, status=2)
    assert not (tmp_path / "out").exists()


def test_kilosort_files(simulated, tmp_path):
    from spikeinterface.extractors import read_kilosort

    run("sort", simulated / "recording", "--out", tmp_path / "out", "--kilosort-files")
    sorting = xephys.open_sorting(tmp_path / "out" / "sorting.zarr")
    features = np.load(tmp_path / "out" / "phy" / "pc_features.npy")
    assert features.shape == (sorting["spikes"].sizes["spike"], 6, 10)
    found = read_kilosort(tmp_path / "out" / "phy").count_num_spikes_per_unit()
    assert list(found.values()) == sorting["units"]["num_spikes"].values.tolist()


def test_debug_shows_the_traceback(tmp_path):
    result = CliRunner().invoke(app, ["info", str(tmp_path / "none"), "--debug"])
    assert isinstance(result.exception, FileNotFoundError)


@pytest.mark.slow
def test_ctrl_c_in_a_process(simulated, tmp_path):
    """A real SIGINT: status 130, one sentence, and the next run finishes the same sorting."""
    out = tmp_path / "out"
    command = [sys.executable, "-c", "from xephys.cli import main; main()", "sort", str(simulated / "recording")]
    command += ["--out", str(out), "--chunk-duration-s", "0.2"]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
        preexec_fn=hear_ctrl_c,
    )
    deadline = time.monotonic() + 120
    while not list((out / ".work").glob("*/chunk_*.npy")):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr
    assert "goes on from there" in stderr
    assert not (out / "sorting.zarr").exists()
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # no progress bar where there is no terminal
    assert sorted(p.name for p in out.iterdir()) == [".work", "phy", "sorting.zarr"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ParameterError("a"), 2),
        (RecordingError("a"), 3),
        (FileNotFoundError("a"), 3),
        (OutputError("a"), 4),
        (PermissionError(13, "a"), 4),
        (ResourceError("a"), 5),
        (MemoryError(), 5),
        (OSError(28, "No space left on device"), 5),
        (KeyError("a"), 1),
    ],
)
def test_status_of_each_error(error, status):
    found, sentence = console.explain(error)
    assert found == status
    assert sentence
    assert "\n" not in sentence


def test_our_warnings_are_one_line_and_others_are_silent(capsys):
    @console.reported
    def command(debug=False):
        warnings.warn("3 constant channels", XephysWarning, stacklevel=1)
        warnings.warn("something of a library", UserWarning, stacklevel=1)

    command()
    assert capsys.readouterr().err == "warning: 3 constant channels\n"


def test_progress_is_drawn_on_a_terminal_only(monkeypatch, capsys):
    from rich.console import Console

    with console.progress_bar() as progress:
        progress("detect", 1, 2)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(console, "console", lambda **_: Console(stderr=True, force_terminal=True, width=80))
    with console.progress_bar() as progress:
        for done in range(3):
            progress("detect", done, 2)
        progress("match", 0, 5)
    text = capsys.readouterr().err
    assert "detect" in text
    assert "2/2" in text
    assert "match" in text


def test_space_grows_with_the_recording():
    hour = console.sort_bytes(384, 3600.0)
    assert 1e9 < hour < 1e10
    assert console.sort_bytes(4, 10.0) < 5e7


def test_work_folder_of_an_unfinished_run_is_no_result(tmp_path):
    names = ("sorting.zarr", "phy")
    out = tmp_path / "out"
    console.check_result_folder(out, names, overwrite=False)
    (out / ".work").mkdir(parents=True)
    console.check_result_folder(out, names, overwrite=False)
    (out / "sorting.zarr").mkdir()
    console.check_result_folder(out, names, overwrite=False)
    (out / "phy").mkdir()
    with pytest.raises(OutputError, match="already holds"):
        console.check_result_folder(out, names, overwrite=False)
    (out / ".work").rmdir()
    (out / "phy").rmdir()
    with pytest.raises(OutputError, match=r"already holds sorting\.zarr;"):
        console.check_result_folder(out, names, overwrite=False)
    console.check_result_folder(out, names, overwrite=True)


def test_a_silent_recording_is_sorted_into_nothing(tmp_path):
    noise = np.random.default_rng(0).normal(0, 10, (3 * RATE, 4)).astype("i2")
    recording, _ = xephys.testing.simulate_recording(duration_s=3, n_channels=4, n_units=1)
    xephys.save_recording(recording.copy(data=noise), tmp_path / "a.zarr")
    text = run("sort", tmp_path / "a.zarr", "--out", tmp_path / "out").stdout
    assert "0 units" in text
    assert "too few spikes" in text
    assert xephys.open_sorting(tmp_path / "out" / "sorting.zarr")["units"].sizes["unit"] == 0
