"""``xephys metrics``: quality metrics of a sorting, unit by unit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import console
from .options import Debug, Overwrite, ProbeFile, RecordingPaths, Trust

if TYPE_CHECKING:
    import xarray as xr


def metrics(
    sorting: Annotated[Path, typer.Argument(metavar="SORTING", help="A sorting, or the folder of xephys sort.")],
    recordings: RecordingPaths,
    names: Annotated[
        list[str],
        typer.Option("--metric", metavar="NAME", help="One metric, by SpikeInterface's name; can be repeated (all)."),
    ] = [],  # noqa: B006 - Typer reads it and never changes it
    freq_min_hz: Annotated[
        float, typer.Option("--freq-min-hz", help="Corner of the high-pass; 0 takes the traces as they are.")
    ] = 300.0,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Also write a table (CSV).")] = None,
    probe: ProbeFile = None,
    trust: Trust = False,
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """Measure the quality of every unit of a sorting; reads the recording once."""
    from ..analysis.tables import compute_quality_metrics
    from ..io.store.atomic import check_output, whole_or_absent
    from ..recording.segments import segments_of, tree_of
    from .paths import find_sorting, open_segments

    if out is not None:
        check_output(out, overwrite=overwrite)
    tree = find_sorting(sorting, trust=trust)
    pieces = [_filtered(part, freq_min_hz) for part in segments_of(open_segments(recordings, probe=probe, trust=trust))]
    recording = pieces[0] if len(pieces) == 1 else tree_of(pieces)
    table = compute_quality_metrics(tree, recording, names or None)
    _print_table(table)
    if out is not None:
        with whole_or_absent(out, overwrite=overwrite) as hidden:
            table.to_dataframe().set_index("unit_id").to_csv(hidden)
        console().print(f"table: {out}")


def _filtered(recording: xr.DataArray, freq_min_hz: float) -> Any:
    from ..preprocess.filter import highpass_filter

    return highpass_filter(recording, freq_min_hz=freq_min_hz) if freq_min_hz else recording


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
