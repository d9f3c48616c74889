"""``xephys metrics``: quality metrics of a sorting, unit by unit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import console
from ..options import Debug, FreqMin, Overwrite, RecordingPaths
from ..reading import Reading, with_reading

if TYPE_CHECKING:
    import xarray as xr


@with_reading
def metrics(
    sorting: Annotated[Path, typer.Argument(metavar="SORTING", help="A sorting, or the folder of xephys sort.")],
    recordings: RecordingPaths,
    names: Annotated[
        list[str],
        typer.Option("--metric", metavar="NAME", help="One metric, by SpikeInterface's name; can be repeated (all)."),
    ] = [],  # noqa: B006 - Typer reads it and never changes it
    freq_min_hz: FreqMin = 300.0,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Also write a table (CSV).")] = None,
    *,
    reading: Reading,
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """Measure the quality of every unit of a sorting; reads the recording once."""
    from ...analysis.tables import compute_quality_metrics
    from ...io.store.atomic import check_output, whole_or_absent
    from ..paths import filtered, find_sorting, open_segments

    if out is not None:
        check_output(out, overwrite=overwrite)
    tree = find_sorting(sorting, trust=reading["trust"])
    recording = filtered(open_segments(recordings, **reading), freq_min_hz=freq_min_hz)
    table = compute_quality_metrics(tree, recording, names or None)
    _print_table(table)
    if out is not None:
        with whole_or_absent(out, overwrite=overwrite) as hidden:
            table.to_dataframe().set_index("unit_id").to_csv(hidden)
        console().print(f"table: {out}")


def _print_table(metrics: xr.Dataset) -> None:
    """Print one row per unit, in tables of as many metrics as the screen has room for."""
    from rich.table import Table

    screen = console()
    if not metrics.sizes["unit"]:
        screen.print("the sorting has no units, so there is nothing to measure")
        return
    units = [str(unit) for unit in metrics["unit_id"].values]
    columns = [(str(name), [f"{value:.4g}" for value in metrics[name].values]) for name in metrics.data_vars]
    for some in _fitting(columns, width=screen.width - _width("unit", units)):
        table = Table(box=None, pad_edge=False)
        for name in ("unit", *(name for name, _ in some)):
            table.add_column(name, justify="right", no_wrap=True)
        for row in zip(units, *(cells for _, cells in some), strict=True):
            table.add_row(*row)
        screen.print(table)
        screen.print()


def _width(name: str, cells: list[str]) -> int:
    """Characters that a column takes, with the space between it and the next."""
    return max(map(len, [name, *cells])) + 1


def _fitting(columns: list[tuple[str, list[str]]], *, width: int) -> Iterator[list[tuple[str, list[str]]]]:
    """The columns in pieces that are at most so wide; a wider column is a piece of its own."""
    some: list[tuple[str, list[str]]] = []
    for column in columns:
        if some and sum(_width(*one) for one in [*some, column]) > width:
            yield some
            some = []
        some.append(column)
    if some:
        yield some
