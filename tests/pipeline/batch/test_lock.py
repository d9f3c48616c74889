"""One process at a time sorts into a folder."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from xephys.errors import OutputError
from xephys.pipeline.batch.lock import LOCK_NAME, sole_use
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


def test_a_place_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written to"), sole_use(tmp_path / "file" / "folder"):
        pass
