"""Leftovers of a killed process are removed by the next one; files that are still being written stay."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import xephys
from xephys.errors import OutputError
from xephys.graph import writers
from xephys.io.store.atomic import check_output, whole_or_absent

WRITER = """
import sys, time
from pathlib import Path
from xephys.io.store.atomic import whole_or_absent
with whole_or_absent(sys.argv[1], overwrite=True) as hidden:
    hidden.mkdir()
    (hidden / "half").write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


def writing(path):
    """A process that is writing to the path."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "writing\n"
    return process


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


def write(path, text, *, overwrite=False):
    with whole_or_absent(path, overwrite=overwrite) as hidden:
        hidden.write_text(text)


def test_leftovers_of_a_killed_process_are_removed(tmp_path):
    kill(writing(tmp_path / "result"))
    assert len(list(tmp_path.glob(".result.partial-*"))) == 1
    write(tmp_path / "result", "whole")
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


def test_files_of_a_live_process_stay(tmp_path):
    process = writing(tmp_path / "result")
    try:
        (partial,) = tmp_path.glob(".result.partial-*")
        write(tmp_path / "result", "whole")
        assert (partial / "half").read_text() == "half"
    finally:
        kill(process)


def test_files_of_another_result_or_machine_stay(tmp_path, monkeypatch):
    kill(writing(tmp_path / "result"))
    write(tmp_path / "other", "whole")
    write(tmp_path / "esult", "whole")
    monkeypatch.setattr(writers, "machine_token", lambda: "0" * 8)
    write(tmp_path / "result", "whole")
    assert len(list(tmp_path.glob(".result.partial-*"))) == 1


def test_a_result_that_a_killed_process_had_set_aside_comes_back(tmp_path):
    process = writing(tmp_path / "result")
    kill(process)
    (partial,) = tmp_path.glob(".result.partial-*")
    aside = partial.with_name(partial.name.replace("partial", "replaced"))
    aside.write_text("the only copy")
    with pytest.raises(OutputError, match="exists already"):
        write(tmp_path / "result", "new")
    assert (tmp_path / "result").read_text() == "the only copy"
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


#: Saves a recording whose chunks after the first are not there before the process is killed.
SAVING = """
import sys, time
import dask.array as da, numpy as np, xephys
from xephys.schema import make_recording
def late(block, block_info=None):
    time.sleep(240 if block_info[None]["chunk-location"][0] else 0)
    return block
traces = da.map_blocks(late, da.ones((400, 2), chunks=(100, 2), dtype="i2"), dtype="i2")
xephys.save_recording(make_recording(traces, sampling_frequency=30_000.0), sys.argv[1], format="binary")
"""


@pytest.mark.slow
def test_save_recording_killed_in_the_middle(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", SAVING, str(tmp_path / "rec")], env=dict(os.environ))
    deadline = time.monotonic() + 300
    while not list(tmp_path.glob(".rec.partial-*/*.raw")):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    kill(process)
    assert [path.name[:13] for path in tmp_path.iterdir()] == [".rec.partial-"]
    recording = xephys.make_recording(np.ones((300, 2), "i2"), sampling_frequency=30_000.0)
    xephys.save_recording(recording, tmp_path / "rec", format="binary")
    assert [path.name for path in tmp_path.iterdir()] == ["rec"]


def test_a_path_in_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file.a.zarr cannot be written, because .*file is a file; choose another"):
        check_output(tmp_path / "file" / "a.zarr", overwrite=False)
    check_output(tmp_path / "new" / "er" / "a.zarr", overwrite=False)
