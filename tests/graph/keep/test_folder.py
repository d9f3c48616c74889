"""Folders that are removed after a run: nothing is left, not even by a killed one, and nothing is flushed to disk."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

import pytest

from xephys.graph import checkpoint
from xephys.graph.keep.folder import scratch_folder


@pytest.mark.parametrize("fails", [False, True])
def test_a_scratch_folder_is_removed(fails):
    with pytest.raises(RuntimeError) if fails else nullcontext(), scratch_folder() as folder:
        (folder / "sub").mkdir()
        (folder / "sub" / "file").write_text("x")
        assert folder.name.startswith("xephys-")
        if fails:
            raise RuntimeError
    assert not folder.exists()


def test_only_files_that_stay_are_flushed_to_disk(tmp_path, monkeypatch):
    flushed = []
    monkeypatch.setattr(checkpoint.os, "fsync", lambda descriptor: flushed.append(os.fstat(descriptor).st_ino))
    with scratch_folder() as scratch:
        for folder in (scratch, scratch / "chunks", tmp_path):
            folder.mkdir(exist_ok=True)
            checkpoint.write_atomically(folder / "file", lambda file: file.write(b"x"))
            assert (folder / "file").read_bytes() == b"x"
    assert flushed == [(tmp_path / "file").stat().st_ino]


#: Makes a scratch folder with a file, prints its path, and waits.
HOLDER = """
import time
from xephys.graph.keep.folder import scratch_folder
with scratch_folder() as folder:
    (folder / "traces.npy").write_bytes(bytes(1000))
    print(folder, flush=True)
    time.sleep(600)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no flock")
def test_the_folder_of_a_killed_process_is_removed_by_the_next_run(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def hold():
        environment = {**os.environ, "TMPDIR": str(tmp_path)}
        process = subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True, env=environment)
        folder = Path(process.stdout.readline().strip())
        os.utime(folder / "owner", (0, 0))  # a folder made just now is never taken for abandoned
        return process, folder

    killed, abandoned = hold()
    running, used = hold()
    try:
        killed.kill()
        killed.wait()
        assert (abandoned / "traces.npy").exists()
        with scratch_folder() as own:
            assert not abandoned.exists()
            assert (used / "traces.npy").exists()
            os.utime(own / "owner", (0, 0))
            with scratch_folder():
                assert own.exists()
    finally:
        running.kill()
        running.wait()


def test_folders_of_unknown_origin_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "xephys-a.scratch").mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "owner").write_text("")
    os.utime(elsewhere / "owner", (0, 0))
    (tmp_path / "xephys-b.scratch").symlink_to(elsewhere)
    with scratch_folder():
        assert (tmp_path / "xephys-a.scratch").exists()
        assert (elsewhere / "owner").exists()
