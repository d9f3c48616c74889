"""Folders that are removed after a run: nothing is left, and nothing is flushed to disk."""

from __future__ import annotations

import os
from contextlib import nullcontext

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
