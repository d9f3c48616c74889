"""Our presets on every set of ``results/sorters.md`` again, beside the figures of that table.

    python benchmarks/again.py [--keep FOLDER] [--sets hard:10 ...] [--sorters default preset:kilosort4]

No other sorter is run, because their figures do not change with our code. With ``--keep``, recordings and
results stay in FOLDER, and finished runs are not repeated. Rows that are not run stay in ``results/again.md`` as they
were, and each row says which code it measured.
"""

import argparse
import re
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import sorters
from harness import RESULTS, table, write_result

#: A row of the table of accuracy: set, sorter, mean accuracy, well detected of all, extra units.
ROW = re.compile(
    r"^\| (?P<set>[\w-]+:\d+) \| (?P<sorter>default|preset:\w+) \| (?P<accuracy>[\d.]+) "
    r"\| (?P<well>\d+) of (?P<of>\d+) \| (?P<extra>\d+ / \d+ / \d+) \|",
    re.MULTILINE,
)
#: A row of this benchmark's own table, with the scores after the arrows.
OWN_ROW = re.compile(
    r"^\| (?P<set>[\w-]+:\d+) \| (?P<sorter>default|preset:\w+) \| [\d.]+ → (?P<accuracy>[\d.]+) "
    r"\| \d+ of \d+ → (?P<well>\d+) of (?P<of>\d+) \| [\d /]+ → (?P<extra>\d+ / \d+ / \d+) \| [\w *]+ "
    r"\|(?: (?P<code>\w+) \|)?$",
    re.MULTILINE,
)
#: What stands for the code of rows that did not say it.
EARLIER = "earlier"
#: The table has three decimals, so smaller differences do not count.
ROUNDING = 0.0005
EXTRA = ("false positive", "redundant", "overmerged")


class Before(NamedTuple):
    """The scores of one sorter on one set."""

    accuracy: float
    well: int
    n_units: int
    extra: tuple[int, ...]


class Row(NamedTuple):
    """One sorter on one set: the scores of the table, and those of the code with that digest."""

    set: str
    sorter: str
    before: Before
    now: Before
    code: str

    @property
    def verdict(self) -> str:
        """Whether fewer units are found, or the mean accuracy is lower, than before."""
        found, accuracy = self.now.well - self.before.well, self.now.accuracy - self.before.accuracy
        if found < 0 or accuracy < -ROUNDING:
            return "**worse**"
        return "better" if found > 0 or accuracy > ROUNDING else "the same"


def stored(text: str) -> dict[tuple[str, str], Before]:
    """Scores of our sorters in a table of sorters, by set and sorter."""
    return {(row["set"], row["sorter"]): _scores(row) for row in ROW.finditer(text)}


def _scores(row: re.Match[str]) -> Before:
    extra = tuple(map(int, row["extra"].split(" / ")))
    return Before(float(row["accuracy"]), int(row["well"]), int(row["of"]), extra)


def completed(rows: list[Row], before: dict[tuple[str, str], Before], text: str) -> list[Row]:
    """The rows in the order of the table of sorters, those that were not run as this benchmark's own table has them."""
    known = {(row.set, row.sorter): row for row in rows}
    for row in OWN_ROW.finditer(text):
        key = row["set"], row["sorter"]
        if key in before:
            known.setdefault(key, Row(*key, before[key], _scores(row), row["code"] or EARLIER))
    return [known[key] for key in before if key in known]


def compared(runs: list[dict[str, Any]], before: dict[tuple[str, str], Before]) -> list[Row]:
    """The finished runs, beside the table."""
    rows = []
    for made in runs:
        key = made["set"], made["sorter"]
        if made["state"] != "done" or key not in before:
            continue
        score = made["score"]
        extra = tuple(int(score[name]) for name in EXTRA)
        now = Before(score["accuracy"], score["well"], score["truth units"], extra)
        rows.append(Row(*key, before[key], now, made["identity"].rpartition("-")[2][:7]))
    return rows


def report(rows: list[Row]) -> list[str]:
    def cells(one: Before) -> tuple[str, str, str]:
        return f"{one.accuracy:.3f}", f"{one.well} of {one.n_units}", " / ".join(map(str, one.extra))

    def both(row: Row) -> list[str]:
        return [f"{a} → {b}" for a, b in zip(cells(row.before), cells(row.now), strict=True)]

    lines = [(row.set, row.sorter, *both(row), row.verdict, row.code) for row in rows]
    totals = []
    for sorter in dict.fromkeys(row.sorter for row in rows):
        mine = [row for row in rows if row.sorter == sorter]
        means = [sum(getattr(row, when).accuracy for row in mine) / len(mine) for when in ("before", "now")]
        well = [sum(getattr(row, when).well for row in mine) for when in ("before", "now")]
        n_worse = sum(row.verdict == "**worse**" for row in mine)
        totals.append((sorter, len(mine), f"{means[0]:.4f} → {means[1]:.4f}", f"{well[0]} → {well[1]}", n_worse))
    return [
        "# Our presets, then and now",
        "The same recordings as in [the table of sorters](sorters.md), which has the figures before the arrows. "
        "Worse: fewer units well detected, or a mean accuracy that is lower by more than the rounding of that table. "
        "Rows of one code, a digest of the package, were measured with the same version.",
        table(["preset", "sets", "mean accuracy over sets", "well detected", "sets that are worse"], totals),
        table(
            ["set", "sorter", "mean accuracy", "well detected", "extra: false / redundant / overmerged", "", "code"],
            lines,
        ),
    ]


def main() -> None:
    before = stored((RESULTS / "sorters.md").read_text(encoding="utf-8"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, help="folder in which recordings and results stay")
    parser.add_argument("--sets", nargs="+", help="some sets alone; the rows of others stay")
    parser.add_argument("--sorters", nargs="+", default=["default", "preset:kilosort4"])
    options = parser.parse_args()
    pairs = [
        pair for pair in before if (options.sets is None or pair[0] in options.sets) and pair[1] in options.sorters
    ]
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        rows = compared(sorters.run(pairs, folder=folder), before)
    written = RESULTS / "again.md"
    earlier = written.read_text(encoding="utf-8") if written.exists() else ""
    write_result("again", *report(completed(rows, before, earlier)))


if __name__ == "__main__":
    main()
