"""``xephys compare``: a sorting beside the truth, unit by unit, or several beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import ParameterError
from ..console import console
from ..options import Debug, Overwrite, Trust

if TYPE_CHECKING:
    import xarray as xr

    from ...comparison.pair import Comparison


def compare(
    sortings: Annotated[
        list[Path],
        typer.Argument(
            metavar="TESTED TRUTH | SORTING SORTING SORTING...",
            help="A sorting and the truth (or folders of xephys sort and simulate); or three sortings and more.",
        ),
    ],
    delta_ms: Annotated[
        float, typer.Option("--delta-ms", help="Largest distance between two spikes that count as the same.")
    ] = 0.4,
    agreement: Annotated[
        bool, typer.Option("--agreement", help="Also of two sortings, take neither for the truth.")
    ] = False,
    count_min: Annotated[
        int, typer.Option("--count-min", help="In how many sortings a unit has to be, to be written by --out.")
    ] = 2,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="PATH", help="Also write the units on which several agree (Zarr).")
    ] = None,
    figure: Annotated[
        Path | None, typer.Option("--figure", metavar="FILE", help="Also draw a report of two (PNG, PDF or SVG).")
    ] = None,
    trust: Trust = False,
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """Compare a sorting with the truth, or several sortings with each other, unit by unit."""
    from ...io.store.atomic import check_output
    from ..paths import find_sorting

    if len(sortings) < 2:
        raise ParameterError("one sorting is given; give another to compare it with")
    several = agreement or len(sortings) > 2
    if several and figure is not None:
        raise ParameterError("--figure draws a sorting beside the truth; give these two, without --agreement")
    if out is not None:
        if not several:
            raise ParameterError("--out writes what sortings agree on; give three, or --agreement")
        check_output(out, overwrite=overwrite)
    if several and not 1 <= count_min <= len(sortings):
        raise ParameterError(f"--count-min is {count_min} and there are {len(sortings)} sortings; give 1 to that many")
    if figure is not None:
        if figure.suffix not in (".png", ".pdf", ".svg"):
            raise ParameterError(f"--figure {figure} is not a .png, .pdf or .svg file; choose one of these")
        check_output(figure, overwrite=overwrite)
    if several:
        trees = [find_sorting(path, trust=trust) for path in sortings]
        _agree(trees, _short_names(sortings), delta_ms=delta_ms, count_min=count_min, out=out, overwrite=overwrite)
    else:
        tested, truth = sortings
        pair = (find_sorting(tested, trust=trust), find_sorting(truth, truth=True, trust=trust))
        _score(*pair, delta_ms=delta_ms, figure=figure, overwrite=overwrite)


def _score(tested: xr.DataTree, truth: xr.DataTree, *, delta_ms: float, figure: Path | None, overwrite: bool) -> None:
    from ...comparison.pair import compare as run_compare
    from ...io.store.atomic import whole_or_absent

    result = run_compare(tested, truth, delta_ms=delta_ms)
    _print_comparison(result)
    if figure is not None:
        from ...plot.report.comparison import plot_report

        drawn = plot_report(tested, comparison=result)
        with whole_or_absent(figure, overwrite=overwrite) as hidden:
            drawn.figure.savefig(hidden, format=figure.suffix[1:])
        console().print(f"figure: {figure}")


def _agree(
    trees: list[xr.DataTree], names: list[str], *, delta_ms: float, count_min: int, out: Path | None, overwrite: bool
) -> None:
    from rich.table import Table

    from ...comparison.several import compare_multiple_sorters
    from ...io.store.sorting import save_sorting

    several = compare_multiple_sorters(trees, name_list=names, delta_ms=delta_ms)
    table = Table(box=None, pad_edge=False)
    for heading in ("unit", *names, "sortings", "agreement"):
        table.add_column(heading, justify="right")
    ids = [[*map(str, one.unit_ids.tolist()), "–"] for one in several.spikes]
    numbers, scores = several.units["agreement_number"].values, several.units["avg_agreement"].values
    for k, row in enumerate(several.units["member"].values.tolist()):
        members = [of_sorting[unit] for of_sorting, unit in zip(ids, row, strict=True)]
        table.add_row(str(k), *members, str(numbers[k]), f"{scores[k]:.3f}")
    screen = console()
    screen.print(table)
    counts = ", ".join(f"{int((numbers >= n).sum())} in {n} or more" for n in range(2, len(trees) + 1))
    screen.print(f"\n{len(numbers)} units: {counts}")
    if out is not None:
        save_sorting(several.get_agreement_sorting(count_min), out, overwrite=overwrite)
        screen.print(f"agreed units: {out}")


def _short_names(paths: list[Path]) -> list[str]:
    """What tells paths apart: their last part, or all of it where that is the same."""
    last = [path.resolve().name for path in paths]
    names = last if len(set(last)) == len(last) else [str(path) for path in paths]
    return names if len(set(names)) == len(names) else [f"{name} ({k})" for k, name in enumerate(names)]


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
