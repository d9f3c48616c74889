"""``xephys curate``: apply a stored curation, merges and rules to a sorting, and give the reason for each unit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import ParameterError
from ..console import console
from ..options import Debug, FreqMin, Overwrite
from ..reading import Reading, with_reading
from ..spoken import wrong_value

if TYPE_CHECKING:
    import xarray as xr


@with_reading
def curate(
    sorting: Annotated[Path, typer.Argument(metavar="SORTING", help="A sorting, or the folder of xephys sort.")],
    out: Annotated[Path, typer.Option("--out", metavar="PATH", help="The curated sorting to be written (Zarr).")],
    curation: Annotated[
        Path | None, typer.Option("--curation", metavar="FILE", help="Curation JSON of SpikeInterface; applied first.")
    ] = None,
    merges: Annotated[
        list[str],
        typer.Option("--merge", metavar="PRESET", help="Find and merge units, such as slay; can be repeated."),
    ] = [],  # noqa: B006 - Typer reads the default and never changes it
    rules: Annotated[
        list[str],
        typer.Option("--rule", metavar="CONDITION", help='A condition of good units, such as "snr > 5"; repeatable.'),
    ] = [],  # noqa: B006
    bombcell: Annotated[bool, typer.Option("--bombcell", help="Label units by Bombcell's rules.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Remove units that do not meet the conditions.")] = False,
    recordings: Annotated[
        list[Path],
        typer.Option("--recording", metavar="PATH", help="What was sorted, for merges and metrics; several: segments."),
    ] = [],  # noqa: B006
    freq_min_hz: FreqMin = 300.0,
    *,
    reading: Reading,
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """Curate a sorting: apply a stored curation, merge units, label or remove them, and say why."""
    from ...curate.curation import apply_curation
    from ...curate.merge_search import merge_automatically
    from ...curate.rules import curation_log
    from ...io.store.atomic import check_output
    from ...io.store.sorting import save_sorting
    from ..paths import filtered, find_sorting, open_segments

    if curation is None and not (merges or rules or bombcell):
        raise ParameterError("nothing is to be done; give --curation, --merge, --rule or --bombcell")
    _metrics_of(rules)
    if merges and not recordings:
        raise ParameterError("--merge looks at the traces; name what was sorted (--recording PATH)")
    check_output(out, overwrite=overwrite)
    tree = find_sorting(sorting, trust=reading["trust"])
    n_before, n_logged = tree["units"].sizes["unit"], len(curation_log(tree))
    if curation is not None:
        tree = apply_curation(tree, curation)
    recording: Any = None
    if recordings:
        recording = filtered(open_segments(recordings, **reading), freq_min_hz=freq_min_hz)
    if merges:
        tree = merge_automatically(tree, recording, merges)
    if rules or bombcell:
        tree = _labelled(tree, recording, rules, bombcell=bombcell, remove=remove)
    save_sorting(tree, out, overwrite=overwrite)
    _print_log(curation_log(tree)[n_logged:])
    labels = ", ".join(f"{n} {label}" for label, n in _counts(tree).items())
    after = f"{tree['units'].sizes['unit']} after" + (f" ({labels})" if labels else "")
    console().print(f"{n_before} units before, {after}: {out}")


def _labelled(tree: xr.DataTree, recording: Any, rules: list[str], *, bombcell: bool, remove: bool) -> xr.DataTree:
    from ...analysis.run import analyze
    from ...curate.bombcell import BOMBCELL, label_like_bombcell
    from ...curate.rules import curate_by_rules

    if recording is not None and tree["units"].sizes["unit"]:
        wanted = [*rules, *(text for section in BOMBCELL.values() for text in section if bombcell)]
        names = _metrics_of(wanted)
        tree = analyze(
            tree,
            recording,
            [*(["quality_metrics"] if names else []), "template_metrics"],
            parameters={"quality_metrics": {"names": names}} if names else None,
        )
    if bombcell:
        tree = label_like_bombcell(tree)
        if remove:
            tree = curate_by_rules(tree, "label != 'noise'", passed=None, failed=None, remove=True)
    passed = None if bombcell else "good"  # units that meet the conditions keep Bombcell's label
    return curate_by_rules(tree, rules, passed=passed, remove=remove) if rules else tree


def _metrics_of(conditions: list[str]) -> list[str]:
    """Names of the quality metrics for which the conditions need a column."""
    from ...analysis.quality import QUALITY_METRICS
    from ...curate.expression import parse_condition

    columns = set()
    for text in conditions:
        with wrong_value(f"--rule {text!r}"):
            columns |= set(parse_condition(text).names)
    return [name for name, metric in QUALITY_METRICS.items() if columns & set(metric.columns)]


def _print_log(entries: list[dict[str, Any]]) -> None:
    from rich.markup import escape

    screen = console()
    for entry in entries:
        for unit, reasons in entry.get("reasons", {}).items():
            screen.print(f"unit {unit}: {escape('; '.join(reasons))}")
        for merge in entry.get("merges", []):
            screen.print(f"units {', '.join(map(str, merge['units']))} were merged")


def _counts(tree: xr.DataTree) -> dict[str, int]:
    from collections import Counter

    return dict(Counter(map(str, tree["units"]["label"].values)))
