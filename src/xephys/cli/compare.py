"""``xephys compare``: score a sorting, unit by unit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ParameterError
from .console import console
from .options import Debug, Overwrite, Trust

if TYPE_CHECKING:
    from ..comparison.pair import Comparison


def compare(
    tested: Annotated[Path, typer.Argument(metavar="TESTED", help="A sorting, or the folder of xephys sort.")],
    truth: Annotated[Path, typer.Argument(metavar="TRUTH", help="The true sorting, or the folder of xephys simulate.")],
    delta_ms: Annotated[
        float, typer.Option("--delta-ms", help="Largest distance between two spikes that count as the same.")
    ] = 0.4,
    figure: Annotated[
        Path | None, typer.Option("--figure", metavar="FILE", help="Also draw a report (PNG, PDF or SVG).")
    ] = None,
    trust: Trust = False,
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """Compare a sorting with the truth, unit by unit."""
    from ..comparison.pair import compare as run_compare
    from ..io.store.atomic import check_output, whole_or_absent
    from .paths import find_sorting

    if figure is not None:
        if figure.suffix not in (".png", ".pdf", ".svg"):
            raise ParameterError(f"--figure {figure} is not a .png, .pdf or .svg file; choose one of these")
        check_output(figure, overwrite=overwrite)
    sortings = [find_sorting(tested, trust=trust), find_sorting(truth, truth=True, trust=trust)]
    result = run_compare(*sortings, delta_ms=delta_ms)
    _print_comparison(result)
    if figure is not None:
        from ..plot.report import plot_report

        drawn = plot_report(sortings[0], comparison=result)
        with whole_or_absent(figure, overwrite=overwrite) as hidden:
            drawn.figure.savefig(hidden, format=figure.suffix[1:])
        console().print(f"figure: {figure}")


def _print_comparison(result: Comparison) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("true unit", "found as", "accuracy", "recall", "precision", "spikes", "found", "missed", "false"):
        table.add_column(heading, justify="right")
    units = result.units
    counts = ("num_truth", "num_matched", "num_missed", "num_false")
    for k, unit in enumerate(units.truth_unit.values):
        scores = [f"{float(units[name][k]):.3f}" for name in ("accuracy", "recall", "precision")]
        table.add_row(
            str(unit), str(units["match"].values[k]) or "–", *scores, *(str(int(units[name][k])) for name in counts)
        )
    screen = console()
    screen.print(table)
    s = result.summary
    screen.print(
        f"\nmean accuracy {s['accuracy']:.3f}, recall {s['recall']:.3f}, precision {s['precision']:.3f} of all true "
        f"units; precision {s['precision_matched']:.3f} of the {s['num_matched_units']} matched\n"
        f"{s['num_truth_units']} true and {s['num_tested_units']} tested units: "
        f"{s['num_well_detected']} well detected, {s['num_redundant']} redundant, {s['num_overmerged']} overmerged, "
        f"{s['num_false_positive']} false positive"
    )
