"""Recordings are saved in each format and opened again without loss; a failed or interrupted save leaves nothing."""

from __future__ import annotations

import errno
import os
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tests.support.labelled import assert_same_recording
from tests.support.processes import hear_ctrl_c
from tests.support.staged import with_stage
from xephys.errors import OutputError, ParameterError, RecordingError
from xephys.graph.build import count_tasks
from xephys.io.bridge.spikeinterface import to_spikeinterface, with_times
from xephys.io.read.open import open_recording
from xephys.io.store import save, zarr
from xephys.io.store.atomic import whole_or_absent
from xephys.io.store.save import as_dtype, save_recording
from xephys.recording.segments import segments_of, tree_of
from xephys.schema import make_recording

FORMATS = ["zarr", "binary"]


@pytest.mark.parametrize("format", FORMATS)
def test_saved_and_opened_loses_nothing(tmp_path: Path, recording: xr.DataArray, format: str) -> None:
    for name, one in {
        "plain": recording,
        "computed": with_stage(recording),
        "slice": recording[1234:5432, [3, 1]],
    }.items():
        returned = save_recording(one, tmp_path / name, format=format)
        assert_same_recording(open_recording(tmp_path / name), one)
        assert_same_recording(returned, one)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["computed", "plain", "slice"]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chunk_duraton_s": 1.0}, "no parameter 'chunk_duraton_s' for a .*did you mean 'chunk_duration_s'"),
        ({"experiment_name": "experiment1"}, "no parameter 'experiment_name'"),
        ({"stream_id": "imec0.ap"}, "stream_id is 'imec0.ap'.*has no streams; leave it out"),
        ({"dtype": "int16", "sampling_frequency": 3e4}, "sampling_frequency, dtype would describe a raw binary file"),
    ],
)
def test_options_without_effect_are_refused(
    tmp_path: Path, recording: xr.DataArray, format: str, options: dict, message: str
) -> None:
    save_recording(recording, tmp_path / "saved", format=format)
    with pytest.raises(ParameterError, match=message):
        open_recording(tmp_path / "saved", **options)
    to_spikeinterface(recording).dump_to_pickle(tmp_path / "dump.pkl")
    with pytest.raises(ParameterError, match=message):
        open_recording(tmp_path / "dump.pkl", **options)


@pytest.mark.parametrize("format", FORMATS)
def test_spikeinterface_reads_it(tmp_path: Path, recording: xr.DataArray, format: str) -> None:
    import spikeinterface.core as si

    save_recording(recording, tmp_path / f"saved.{format}", format=format)
    theirs = si.load(tmp_path / f"saved.{format}")
    bridged = to_spikeinterface(recording)
    np.testing.assert_array_equal(theirs.get_traces(), recording.values)
    np.testing.assert_array_equal(theirs.get_traces(return_in_uV=True), bridged.get_traces(return_in_uV=True))
    assert theirs.channel_ids.tolist() == recording.channel.values.tolist()
    assert theirs.get_start_time() == 12.5
    assert set(theirs.get_property_keys()) == set(bridged.get_property_keys()) - {"anything"}
    for key in theirs.get_property_keys():
        assert theirs.get_property(key).tolist() == bridged.get_property(key).tolist()
    np.testing.assert_array_equal(theirs.get_channel_locations(), bridged.get_channel_locations())
    assert theirs.get_annotation("experimenter") == "A"


@pytest.mark.parametrize("format", FORMATS)
def test_segments(tmp_path: Path, recording: xr.DataArray, format: str) -> None:
    tree = tree_of([recording, recording[3000:3500]])
    opened = save_recording(tree, tmp_path / "saved", format=format)
    for one, two in zip(segments_of(opened), segments_of(tree), strict=True):
        assert_same_recording(one, two)
    one = open_recording(tmp_path / "saved", segment=1)
    assert isinstance(one, xr.DataArray)
    assert one.sizes["time"] == 500


@pytest.mark.parametrize("format", FORMATS)
def test_times_of_every_sample(tmp_path: Path, recording: xr.DataArray, format: str) -> None:
    import spikeinterface.core as si

    times = np.sort(np.random.default_rng(0).random(7001))
    one = with_times(recording, times, chunk_samples=500)
    opened = save_recording(one, tmp_path / f"saved.{format}", format=format)
    assert "time" not in opened.xindexes
    assert opened.time.chunks is not None
    np.testing.assert_array_equal(opened.time.values, times)
    theirs = si.load(tmp_path / f"saved.{format}")
    np.testing.assert_array_equal(theirs.get_times(), times)


@pytest.mark.parametrize("format", FORMATS)
def test_each_task_writes_one_chunk_as_it_is_stored(
    tmp_path: Path, recording: xr.DataArray, format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []
    original = save.compute

    def counting(written: object, **kwargs: object) -> tuple:
        counted.append(count_tasks(written))
        return original(written, **kwargs)

    monkeypatch.setattr(save, "compute", counting)
    # The recording's own chunks fit nothing, and it is written in chunks of 2 s.
    save_recording(recording, tmp_path / "a", format="binary")
    counted.clear()
    lazy = with_stage(open_recording(tmp_path / "a", chunk_duration_s=0.77))
    save_recording(lazy, tmp_path / "b", format=format)
    assert counted == [4]
    np.testing.assert_array_equal(open_recording(tmp_path / "b").values, with_stage(recording).values)


def test_workers_write_the_same_store(tmp_path: Path, recording: xr.DataArray) -> None:
    from distributed import Client, LocalCluster

    save_recording(recording, tmp_path / "a", format="binary")
    lazy = with_stage(open_recording(tmp_path / "a"))
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        Client(cluster),
    ):
        for format in FORMATS:
            save_recording(lazy, tmp_path / format, format=format)
    for format in FORMATS:
        np.testing.assert_array_equal(open_recording(tmp_path / format).values, with_stage(recording).values)


def test_integers_are_rounded_half_to_even_and_saturate(tmp_path: Path) -> None:
    values = np.array([[0.5, 1.5], [2.5, -0.5], [40_000.0, -40_000.0]], "float32")
    lazy = make_recording(np.tile(values, (10, 1)), sampling_frequency=10.0)
    saved = save_recording(lazy, tmp_path / "a", dtype="int16")
    assert saved.values[:3].tolist() == [[0, 2], [2, 0], [32767, -32768]]
    assert as_dtype(np.array([[70_000, -5]]), np.dtype("uint16")).tolist() == [[65535, 0]]
    big = as_dtype(np.array([[3e9, -3e9]], "float32"), np.dtype("int32"))
    assert big.tolist() == [[2**31 - 1, -(2**31)]]
    values[1, 1] = np.nan
    lazy = make_recording(values, sampling_frequency=10.0)
    with pytest.raises(RecordingError, match=r"sample 1 of channel number 1 is nan .* int16"):
        save_recording(lazy, tmp_path / "b", dtype="int16")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_existing_output_is_replaced_only_on_request(tmp_path: Path, recording: xr.DataArray) -> None:
    save_recording(recording, tmp_path / "saved")
    with pytest.raises(OutputError, match="exists already"):
        save_recording(recording, tmp_path / "saved")
    save_recording(recording[:100], tmp_path / "saved", overwrite=True)
    assert open_recording(tmp_path / "saved").sizes["time"] == 100
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    with pytest.raises(OutputError, match="other things in it"):
        save_recording(recording, tmp_path / "mine", overwrite=True)
    assert (tmp_path / "mine" / "thesis.txt").exists()
    with pytest.raises(ParameterError, match="'nwb' cannot be written"):
        save_recording(recording, tmp_path / "x", format="nwb")


@pytest.mark.parametrize("format", FORMATS)
def test_missing_space_is_reported_before_anything_is_computed(
    tmp_path: Path, recording: xr.DataArray, format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = namedtuple("status", "f_bavail f_frsize")
    monkeypatch.setattr(os, "statvfs", lambda path: status(1, 4096))
    monkeypatch.setattr(save, "compute", lambda *args, **kwargs: pytest.fail("computed"))
    with pytest.raises(OutputError, match=r"needs at least .* GB and the disk of .* has 4\.1e-06 GB free"):
        save_recording(recording, tmp_path / "saved", format=format)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("failure", ["full", "bug", "interrupt"])
def test_a_failure_leaves_nothing(
    tmp_path: Path, recording: xr.DataArray, format: str, failure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_recording(recording[:50], tmp_path / "kept", format=format)
    raised = {
        "full": OSError(errno.ENOSPC, "No space left on device"),
        "bug": RuntimeError("a kernel failed"),
        "interrupt": KeyboardInterrupt(),
    }[failure]
    expected = {"full": OutputError, "bug": RuntimeError, "interrupt": KeyboardInterrupt}[failure]
    written: list[int] = []

    def failing(block: np.ndarray, *, first_row: int, **where: str) -> None:
        written.append(first_row)
        if first_row >= 4000:
            raise raised

    monkeypatch.setattr(
        zarr if format == "zarr" else save, "write_region" if format == "zarr" else "write_rows", failing
    )
    with pytest.raises(expected, match="no space left" if failure == "full" else None):
        save_recording(recording, tmp_path / "kept", format=format, overwrite=True)
    assert written
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert open_recording(tmp_path / "kept").sizes["time"] == 50


def test_a_full_disk_leaves_nothing(recording: xr.DataArray, tmp_path: Path) -> None:
    """A file system of 64 kB: the binary file is refused in advance, the store fails half-way; neither leaves files."""
    import subprocess

    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)], capture_output=True).returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        for format in FORMATS:
            with pytest.raises(OutputError, match="free some or choose another place"):
                save_recording(recording, small / "saved", format=format)
            assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_cut_binary_folder(tmp_path: Path, recording: xr.DataArray) -> None:
    save_recording(recording, tmp_path / "saved", format="binary")
    with (tmp_path / "saved" / "traces_cached_seg0.raw").open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(RecordingError, match="has 1000 bytes and was written with 70010"):
        open_recording(tmp_path / "saved")


def test_saving_into_one_file_is_atomic_too(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), whole_or_absent(tmp_path / "a.txt", overwrite=False) as hidden:
        hidden.write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_leaves_nothing(tmp_path: Path, raw_file: Path) -> None:
    """Ctrl-C while tasks write: what they finish afterwards is removed too."""
    import subprocess
    import sys

    script = f"""
import os, signal, time
from xephys.io.store import zarr
from xephys.io.read.open import open_recording
from xephys.io.store.save import save_recording
write, left = zarr.write_region, [signal.SIGINT]
def slow(block, **where):
    if left:
        os.kill(os.getpid(), left.pop())
    time.sleep(0.2)
    write(block, **where)
zarr.write_region = slow
save_recording(open_recording({str(raw_file)!r}, sampling_frequency=100.0, n_channels=5), {str(tmp_path / "out")!r})
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=300, preexec_fn=hear_ctrl_c)
    assert done.returncode != 0
    assert b"KeyboardInterrupt" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [raw_file.name]
