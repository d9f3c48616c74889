"""The report, and the script that repeats a batch."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from xephys.pipeline import sort_recording

from .conftest import QUICK


def test_report_and_script(write_wells: Callable[..., list[Path]]) -> None:
    (well,) = write_wells(1)
    (well / "file1.bin").write_bytes(b"123")
    results = sort_recording([well], save_script=True, **QUICK)
    folder = results[0].folder.parent
    report = (folder / "sorting_report.md").read_text()
    assert "| file0 | by_channel | success |" in report and "| file1 | by_channel | failed | 0 |" in report
    names: dict[str, object] = {}
    script = (folder / "rerun.py").read_text().replace("results.table()", "len(results)")
    exec(compile(script, "rerun.py", "exec"), names)
    again = names["results"]
    assert [result.stages["sorting"] for result in again] == ["kept"] * 3  # type: ignore[attr-defined]


def test_a_disk_that_fills_up_leaves_the_earlier_report_whole(
    write_wells: Callable[..., list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (well,) = write_wells(1)
    first = sort_recording([well], save_script=True, **QUICK)
    places = [first[0].folder.parent, *(result.folder for result in first)]
    kept = {path: path.read_bytes() for place in places for path in place.iterdir() if path.is_file()}
    assert {"sorting_report.md", "rerun.py", "recording_report.json"} <= {path.name for path in kept}
    write = Path.write_text

    def full(path: Path, text: str, **kwargs: object) -> int:
        if any(name in path.name for name in ("report", "rerun", "config_used")):
            write(path, text[: len(text) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, text, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "write_text", full)
    again = sort_recording([well], save_script=True, **QUICK)
    assert [result.status for result in again] == ["success"] * len(first)
    assert {path: path.read_bytes() for place in places for path in place.iterdir() if path.is_file()} == kept
