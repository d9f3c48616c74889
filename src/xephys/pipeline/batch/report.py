"""What a batch leaves beside the units: a report to be read, and a script that repeats it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ...io.store.atomic import whole_or_absent
from ..config.config import SortingPipelineConfig
from .results import RecordingResult
from .sources import Group

SCRIPT_NAME, REPORT_NAME = "rerun.py", "sorting_report.md"


def write_batch_files(group: Group, config: SortingPipelineConfig, results: Sequence[RecordingResult]) -> None:
    """Write the report of a group, and the script if it is wanted; a folder that cannot be written to gets neither."""
    if not all(result.owns_folder for result in results):
        return
    with suppress(OSError):
        group.results.mkdir(parents=True, exist_ok=True)
        if config.execution.generate_sorting_report:
            with whole_or_absent(group.results / REPORT_NAME, overwrite=True) as hidden:
                hidden.write_text(report_text(group, results), encoding="utf-8")
        paths = [part.given for part in group.parts if isinstance(part.given, Path)]
        if config.execution.save_script and paths:
            with whole_or_absent(group.results / SCRIPT_NAME, overwrite=True) as hidden:
                hidden.write_text(script_text(group, config, paths), encoding="utf-8")


def report_text(group: Group, results: Sequence[RecordingResult]) -> str:
    """The report as Markdown: one row per recording, and how each stage went."""
    lines = [f"# {group.name}", "", "| recording | sorter | status | units | seconds | |", "|---|---|---|---|---|---|"]
    for one in results:
        said = one.error_message.replace("|", "\\|").replace("\n", " ")
        lines.append(
            f"| {one.name} | {one.sorter} | {one.status} | {one.n_curated_units} | {one.wall_time_s:.1f} | {said} |"
        )
    stages = results[0].stages if results else {}
    lines += ["", "| stage | |", "|---|---|", *(f"| {name} | {how} |" for name, how in stages.items())]
    return "\n".join(lines) + "\n"


def script_text(group: Group, config: SortingPipelineConfig, paths: Sequence[Path]) -> str:
    """A script that sorts the group again with the same configuration into the same folders."""
    source = paths[0] if len(paths) == 1 else paths[0].parent
    return (
        "from xephys.pipeline import SortingPipelineConfig, sort_recording\n\n"
        f"config = SortingPipelineConfig.from_toml({config.to_toml()!r})\n"
        f"results = sort_recording([{str(source)!r}], config, results_folders=[{str(group.results)!r}], "
        f"intermediate_folders=[{str(group.intermediate)!r}])\n"
        "print(results.table())\n"
    )
