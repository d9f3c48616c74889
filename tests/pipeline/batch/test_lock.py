"""One process at a time sorts into a folder."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from xephys.errors import OutputError
from xephys.pipeline.batch.lock import LOCK_NAME, SLACK, OtherResultsError, claim, sole_use
from xephys.pipeline.batch.results import STAGES_NAME
from xephys.pipeline.classified import ConcurrentSortError


def test_a_second_holder_is_refused_and_told_about_the_first(tmp_path: Path) -> None:
    with sole_use(tmp_path / "new"), pytest.raises(ConcurrentSortError) as raised, sole_use(tmp_path / "new"):
        pass
    assert raised.value.holder_pid == os.getpid() and raised.value.holder_hostname == os.uname().nodename
    assert raised.value.lock_path == str(tmp_path / "new" / LOCK_NAME) and raised.value.started_at
    assert not list((tmp_path / "new").iterdir())


def test_the_lock_of_a_process_that_ended_is_taken_over(tmp_path: Path) -> None:
    gone = {"pid": 2**22 + 1, "hostname": os.uname().nodename, "started_at": "then"}
    (tmp_path / LOCK_NAME).write_text(json.dumps(gone))
    with sole_use(tmp_path):
        assert json.loads((tmp_path / LOCK_NAME).read_text())["pid"] == os.getpid()
    (tmp_path / LOCK_NAME).write_text(json.dumps({**gone, "hostname": "another"}))
    with pytest.raises(ConcurrentSortError), sole_use(tmp_path):
        pass


def test_a_number_that_another_process_has_now_holds_nothing(tmp_path: Path) -> None:
    """After a restart of the machine or of a container, numbers of processes come again."""
    began = datetime.fromtimestamp(psutil.Process().create_time(), UTC)
    earlier = {"pid": os.getpid(), "hostname": os.uname().nodename, "started_at": (began - SLACK * 2).isoformat()}
    (tmp_path / LOCK_NAME).write_text(json.dumps(earlier))
    with sole_use(tmp_path):
        assert json.loads((tmp_path / LOCK_NAME).read_text())["started_at"] != earlier["started_at"]
    (tmp_path / LOCK_NAME).write_text(json.dumps({**earlier, "started_at": began.isoformat()}))
    with pytest.raises(ConcurrentSortError), sole_use(tmp_path):
        pass


def test_a_killed_process_that_nobody_has_waited_for_holds_nothing(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        now = datetime.now(UTC).isoformat()
        held = {"pid": child.pid, "hostname": os.uname().nodename, "started_at": now}
        (tmp_path / LOCK_NAME).write_text(json.dumps(held))
        with pytest.raises(ConcurrentSortError), sole_use(tmp_path):
            pass
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and its number is still taken
        with sole_use(tmp_path):
            pass
    finally:
        child.communicate()


def test_a_disk_that_is_full_leaves_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, text: str, **more: str) -> int:
        self.open("w").close()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OutputError, match="No space left"), sole_use(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_disks_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*names: Path) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with sole_use(tmp_path), pytest.raises(ConcurrentSortError), sole_use(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written to"), sole_use(tmp_path / "file" / "folder"):
        pass
    with pytest.raises(OutputError, match="file is a file, and a folder is needed"), sole_use(tmp_path / "file"):
        pass


def test_a_folder_is_that_of_one_recording(tmp_path: Path) -> None:
    one, other = ({"name": name, "source": f"../{name}.bin"} for name in "ab")
    claim(tmp_path, one, replace=False)
    claim(tmp_path, other, replace=False)  # nothing but a failure was reported there
    (tmp_path / STAGES_NAME).mkdir()
    claim(tmp_path, other, replace=False)
    with pytest.raises(OtherResultsError, match=rf"holds the results of the recording at {tmp_path.parent / 'b.bin'};"):
        claim(tmp_path, one, replace=False)
    with pytest.raises(OtherResultsError, match="give results_folders of its own to c, or recompute_recording=True"):
        claim(tmp_path, {"name": "c", "content": "1"}, replace=False)
    claim(tmp_path, {"name": "c", "content": "1"}, replace=True)
    claim(tmp_path, {"name": "d", "content": "1"}, replace=False)
    with pytest.raises(OtherResultsError, match="holds the results of another one"):
        claim(tmp_path, one, replace=False)
