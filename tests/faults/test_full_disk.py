"""No space left: refused in advance where it is foreseeable; otherwise no file is partial and no finished one lost."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import numpy as np
import pytest

import xephys
from tests.support.sortings import assert_identical
from xephys import OutputError
from xephys.graph import checkpoint
from xephys.graph.keep.archive import read_archive
from xephys.graph.scheduler import connect

CHUNK_S = 0.5


@pytest.fixture
def small_disk(tmp_path):
    """A file system of a fixed size; making it requires root and Linux."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True)
    if made.returncode:
        pytest.skip(f"no small file system can be mounted here: {made.stderr.decode().strip()}")

    def resize(size):
        subprocess.run(["mount", "-o", f"remount,size={size}", str(place)], check=True)

    yield place, resize
    subprocess.run(["umount", str(place)], check=True)


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_disk_that_fills_up_during_a_sort(small_disk, opened, expected):
    place, resize = small_disk
    full = r"no space left; free some and run again \(the finished chunks are kept\)"
    with pytest.raises(OutputError, match=full), connect("synchronous"):
        xephys.sort(opened(CHUNK_S), folder=place / "work")
    finished = {path: path.stat().st_mtime_ns for path in files(place)}
    assert 0 < len(finished) < 24
    for path in finished:
        if path.name.endswith(".result.npz"):
            assert len(read_archive(path)) == 1  # readable, so whole
        else:
            assert path.name.startswith("chunk_")
            assert len(np.load(path)) >= 0  # readable, so whole
    resize("64m")
    assert_identical(xephys.sort(opened(CHUNK_S), folder=place / "work"), expected)
    assert {path: path.stat().st_mtime_ns for path in finished} == finished


def test_the_command_refuses_a_disk_that_is_too_small(small_disk, simulated):
    place, _ = small_disk
    command = [sys.executable, "-m", "xephys", "sort", str(simulated[0]), "--out", str(place / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 4
    assert "needs at least" in done.stderr
    assert "free some or choose another place" in done.stderr
    assert not list(place.iterdir())


@pytest.mark.parametrize("n_writes", [0, 3, 10, 29, 31, 40], ids=lambda n: f"after {n} writes")
def test_a_write_that_fails_anywhere(opened, expected, tmp_path, monkeypatch, n_writes):
    """The estimates, passes and sums write 4 + 24 + 3 + 24 + … files;

    whichever write fails, the others are kept whole.
    """
    write, count = os.fsync, [0]

    def fail(descriptor):
        count[0] += 1
        if count[0] > n_writes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(descriptor)

    monkeypatch.setattr(checkpoint.os, "fsync", fail)
    # One task at a time, because parallel writes would still finish or clean up after another has failed.
    with pytest.raises(OutputError, match="no space left; free some and run again"), connect("synchronous"):
        xephys.sort(opened(CHUNK_S), folder=tmp_path)
    monkeypatch.undo()
    finished = {path: path.stat().st_mtime_ns for path in files(tmp_path)}
    assert len(finished) == n_writes
    assert_identical(xephys.sort(opened(CHUNK_S), folder=tmp_path), expected)
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
