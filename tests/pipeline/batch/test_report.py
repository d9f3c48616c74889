"""The report, and the script that repeats a batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

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
