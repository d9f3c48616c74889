"""Stages are kept under the content that they follow from."""

from __future__ import annotations

from pathlib import Path

import pytest

from xephys.errors import OutputError
from xephys.pipeline.batch.kept import content_key, keep_stage, key_in
from xephys.pipeline.config.groups import CurationConfig


def test_keys_tell_contents_apart() -> None:
    keys = {content_key(CurationConfig(snr_min=snr), "a") for snr in (3, 4, 5)} | {content_key(CurationConfig())}
    assert len(keys) == 4 and content_key(CurationConfig(snr_min=5), "a") in keys


def test_a_stage_runs_once_per_key(tmp_path: Path) -> None:
    calls = []

    def write(hidden: Path) -> None:
        calls.append(hidden)
        (hidden / "result").write_text(str(len(calls)))

    place = tmp_path / "deep" / "stage"
    assert [keep_stage(place, key, write) for key in "aab"] == [True, False, True]
    assert keep_stage(place, "b", write, repeat=True) and key_in(place) == "b"
    assert (place / "result").read_text() == "3"


def test_a_stage_that_fails_leaves_the_earlier_result(tmp_path: Path) -> None:
    keep_stage(tmp_path / "stage", "a", lambda hidden: None)

    def fail(hidden: Path) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        keep_stage(tmp_path / "stage", "b", fail)
    assert key_in(tmp_path / "stage") == "a"
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot create"):
        keep_stage(tmp_path / "file" / "stage", "a", lambda hidden: None)
