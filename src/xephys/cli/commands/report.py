"""``xephys report``: write figures and a table of a sorting to a folder that a browser can show."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..options import Debug, FreqMin, Out, Overwrite
from ..reading import Reading, with_reading
from .export import write_export


@with_reading
def report(
    sorting: Annotated[Path, typer.Argument(metavar="SORTING", help="A sorting, or the folder of xephys sort.")],
    out: Out,
    recordings: Annotated[
        list[Path],
        typer.Option("--recording", metavar="PATH", help="What was sorted, to analyze it first; can be repeated."),
    ] = [],  # noqa: B006 - Typer reads the default and never changes it
    freq_min_hz: FreqMin = 300.0,
    *,
    reading: Reading,
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """Write a report: index.html, a table with one row per unit, and a figure of each unit.

    Same as export --to report.
    """
    write_export(
        sorting,
        "report",
        out,
        recordings=recordings,
        settings=[],
        freq_min_hz=freq_min_hz,
        reading=reading,
        overwrite=overwrite,
    )
