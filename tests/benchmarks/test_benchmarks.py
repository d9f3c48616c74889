"""Every benchmark has a test and a table of results."""

from __future__ import annotations

from pathlib import Path

from .conftest import FOLDER


def test_every_benchmark_is_run_here():
    here = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    shared = {"harness", "rat_contacts", "rat_intervals", "tracking_unitmatch"}  # parts of benchmarks
    names = {path.stem for path in FOLDER.glob("*.py")} - shared
    assert {name for name in names if not any(f'{how}("{name}")' in here for how in ("load", "part"))} == set()
    for name in names - {"kernels"}:  # it only prints its table
        assert (FOLDER / "results" / f"{name}.md").is_file(), f"run python benchmarks/{name}.py"
