"""``xephys metrics``: quality metrics of a sorting, unit by unit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import console
from ..options import Debug, FreqMin, Overwrite, ProbeFile, RecordingPaths, Trust

if TYPE_CHECKING:
    import xarray as xr


def metrics(
    sorting: Annotated[Path, typer.Argument(metavar="SORTING", help="A sorting, or the folder of xephys sort.")],
    recordings: RecordingPaths,
    names: Annotated[
        list[str],
        typer.Option("--metric", metavar="NAME", help="One metric, by SpikeInterface's name; can be repeated (all)."),
    ] = [],  # noqa: B006 - Typer reads it and never changes it
    freq_min_hz: FreqMin = 300.0,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Also write a table (CSV).")] = None,
    probe: ProbeFile = None,
    trust: Trust = False,
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """Measure the quality of every unit of a sorting; reads the recording once."""
    from ...analysis.tables import compute_quality_metrics
    from ...io.store.atomic import check_output, whole_or_absent
    from ..paths import filtered, find_sorting, open_segments

    if out is not None:
        check_output(out, overwrite=overwrite)
    tree = find_sorting(sorting, trust=trust)
    recording = filtered(open_segments(recordings, probe=probe, trust=trust), freq_min_hz=freq_min_hz)
    table = compute_quality_metrics(tree, recording, names or None)
    _print_table(table)
    if out is not None:
        with whole_or_absent(out, overwrite=overwrite) as hidden:
            table.to_dataframe().set_index("unit_id").to_csv(hidden)
        console().print(f"table: {out}")


def _print_table(metrics: xr.Dataset) -> None:
    """Print one row per unit, in tables of six metrics, so that they fit on a screen."""
    from rich.table import Table

    columns = [str(name) for name in metrics.data_vars]
    for first in range(0, len(columns), 6):
        table = Table(box=None, pad_edge=False)
        table.add_column("unit", justify="right")
        for name in columns[first : first + 6]:
            table.add_column(name, justify="right")
        values = [metrics[name].values for name in columns[first : first + 6]]
        for row in zip(metrics["unit_id"].values, *values, strict=True):
            table.add_row(str(row[0]), *(f"{value:.4g}" for value in row[1:]))
        console().print(table)
        console().print()
