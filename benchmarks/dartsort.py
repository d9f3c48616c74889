"""dartsort itself beside our preset of that name, and the preset beside ``default``.

    python benchmarks/dartsort.py [--quick] [--peer PYTHON] [--keep FOLDER] [--minutes N] [--sets short:10 ...]

The peer runs in the environment of PYTHON, in which dartsort is installed, on one core like ours: with its defaults,
which train a network on each recording; with the weights of the other kind of network that it brings along; and with
these on the assumption that nothing moves. Recordings, sortings and costs stay in the folder of ``--keep``, and nothing
that is finished runs again. Runs of the peer that are not there come from ``results/dartsort_peer_runs.json``: they do
not depend on our code. A set that today's code has not sorted keeps the newest run of the code before it, and is marked
so. Without a peer, or with a choice of sets, the table is printed and not written.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import sorters
from contest import kept
from contest.kinds import KINDS
from contest.sets import parsed
from harness import table, write_result

EARLIER = Path(__file__).parent / "results" / "dartsort_peer_runs.json"
OURS, DEFAULT = "preset:dartsort", "default"
PEERS = ("dartsort-still", "dartsort-pretrained", "dartsort")
#: Sets on which the peer ends within minutes, and with which of its settings it is run on them.
BESIDE_PEER = {
    "single:10": PEERS[:1],
    "tetrode:10": PEERS[:1],
    "tetrodes:10": PEERS[:1],
    "hard2:10": PEERS[:1],
    "hard4:10": PEERS[:1],
    "short16:10": PEERS,
    "short16:11": PEERS[:2],
    "short16-hard:10": PEERS[:1],
    "short16-hard:11": PEERS[:1],
    "short:10": PEERS,
    "short-easy:10": PEERS[:1],
    "short16-slow:10": PEERS[:2],
    "short16-steps:10": PEERS[:2],
    "short16-nonrigid:10": PEERS[:2],
    "short16-wander:10": PEERS[:2],
    "short-nonrigid:10": PEERS[:1],
}
#: Sets of the other comparisons: still, crowded, on tetrodes, drifting.
BESIDE_DEFAULT = (
    *BESIDE_PEER, "short-slow:10", "short-steps:10", "short-wander:10", "short-hard-slow:10", "short-hard-steps:10",
    "short-hard-nonrigid:10", "tetrodes:11", "hard32:10", "hard32:11", "static:10", "dense:10", "easy-slow:10",
    "hard:10", "hard-slow120:10", "hard-nonrigid120:10",
)  # fmt: skip
MEANING = {
    OURS: 'ours, `preset="dartsort"`',
    DEFAULT: 'ours, `preset="default"`',
    "dartsort": "dartsort, its defaults",
    "dartsort-pretrained": "dartsort, published weights",
    "dartsort-still": "dartsort, published weights, no motion",
}


def pairs(sets: Sequence[str] | None = None) -> list[tuple[str, str]]:
    """Which sorter runs on which set."""
    found = [(name, sorter) for name, peers in BESIDE_PEER.items() for sorter in (OURS, *peers)]
    found += [(name, sorter) for name in BESIDE_DEFAULT for sorter in (OURS, DEFAULT)]
    return [pair for pair in dict.fromkeys(found) if sets is None or pair[0] in sets]


def run(
    *, quick: bool, folder: Path, sets: Sequence[str] | None = None, choice: Sequence[str] | None = None, **given: Any
) -> list[dict[str, Any]]:
    wanted = [("quick:0", OURS), ("quick:0", DEFAULT)] if quick else pairs(sets)
    wanted = [pair for pair in wanted if choice is None or pair[1] in choice]
    return sorters.run(wanted, folder=folder, **given)


def with_earlier(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The runs, and those of the peer in earlier folders on sets that ours sorted now."""
    now = {(made["set"], made["sorter"]) for made in runs if "when" in made}
    earlier = json.loads(EARLIER.read_text(encoding="utf-8"))
    return [
        *runs,
        *(
            {**made, "earlier": True}
            for made in earlier
            if (made["set"], made["sorter"]) not in now and (made["set"], OURS) in now
        ),
    ]


def with_earlier_code(runs: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """The runs, and for each of ours that is missing the newest in the folder, which is of other code."""
    stored = {(made["set"], made["sorter"]): made for made in kept.all_runs(folder) if made["state"] == "done"}
    return [
        {**stored[pair], "earlier code": True}
        if "when" not in made and (pair := (made["set"], made["sorter"])) in stored and pair[1] in (OURS, DEFAULT)
        else made
        for made in runs
    ]


def report(runs: list[dict[str, Any]]) -> list[str]:
    by = {(made["set"], made["sorter"]): made for made in runs if "when" in made}
    done = {pair: made for pair, made in by.items() if made["state"] == "done"}
    peers = [(pair, made) for pair, made in by.items() if pair[1] in PEERS and (pair[0], OURS) in done]
    lines = []
    for name in dict.fromkeys(pair[0] for pair, _ in peers):
        called = MEANING[OURS] + ", earlier code" * ("earlier code" in done[name, OURS])
        lines.append((name, called, *_cells(done[name, OURS]), ""))
        for (of, sorter), made in peers:
            if of == name:
                times = _times(made, done[name, OURS])
                called = MEANING[sorter] + ", earlier" * ("earlier" in made)
                lines.append((name, called, *_cells(made), "" if times is None else f"{times:.0f} ×"))
    kinds = dict.fromkeys(parsed(name)[0] for name, _ in by)
    parts = [
        "# The preset `dartsort`, dartsort itself, and `default`",
        "Accuracy by SpikeInterface's comparison, 0 for true units that are not found; well detected: 0.8 or more;\n"
        "extra: false positive / redundant / overmerged. CPU time of the whole process, imports included, held to one\n"
        "core, which is what it takes where it has a core to itself; the machine was shared, so wall times would tell\n"
        f"nothing. Times of runs marked as earlier are of other hours and not compared.\n{_dates(done)}",
        "## Beside dartsort",
        *_summary(done),
        table(("set", "sorter", "accuracy", "well detected", "extra", "CPU, s", "of ours"), lines),
        "## Beside `default`",
        *_beside_default(done),
        "Sets: " + "; ".join(f"`{kind}`: {KINDS[kind].title}" for kind in kinds) + ".",
    ]
    versions = {made["version"] for pair, made in done.items() if pair[1] in PEERS}
    return [*parts, *([f"Versions: {', '.join(sorted(versions))}."] if versions else [])]


def _dates(done: dict[tuple[str, str], dict[str, Any]]) -> str:
    """When ours ran and with which code."""
    mine = [made for (_, of), made in done.items() if of in (OURS, DEFAULT)]
    days = sorted({made["when"][:10] for made in mine})
    codes = sorted({made["identity"].rpartition("-")[2] for made in mine})
    older = len({made["set"] for made in mine if "earlier code" in made})
    runs = "the last run of ours is" if older == 1 else "the last runs of ours are"
    marked = f"\nOn {older} set{'s' * (older > 1)}, marked, {runs} of earlier code." if older else ""
    said = f"Ours ran on {' and '.join(days)}; digest of code and parameters: {', '.join(codes)}.{marked}"
    return said if mine else ""


def _times(made: dict[str, Any], mine: dict[str, Any]) -> float | None:
    """How many times our CPU time the peer took; None if the runs cannot be compared."""
    comparable = made["state"] == "done" and "earlier" not in made and "earlier code" not in mine
    return float(made["cpu_s"] / mine["cpu_s"]) if comparable else None


def _cells(made: dict[str, Any]) -> tuple[str, ...]:
    if made["state"] != "done":
        return made["state"], "", "", ""
    score = made["score"]
    extra = " / ".join(str(score[name]) for name in ("false positive", "redundant", "overmerged"))
    return f"{score['accuracy']:.3f}", f"{score['well']} of {score['truth units']}", extra, f"{made['cpu_s']:.0f}"


def _drifts(name: str) -> bool:
    """Whether the tissue of this set moves."""
    kind = KINDS[parsed(name)[0]]
    movement = getattr(kind.generator, "movement", "none")
    return (kind.simulator or {}).get("drift", "none") != "none" or movement != "none"


def _summary(done: dict[tuple[str, str], dict[str, Any]]) -> list[str]:
    lines = []
    for sorter, drifting in product(PEERS, (False, True)):
        shared = [name for name, of in done if of == sorter and (name, OURS) in done and _drifts(name) is drifting]
        if shared:
            ours, theirs = ([done[name, of] for name in shared] for of in (OURS, sorter))
            accuracies = [np.mean([made["score"]["accuracy"] for made in side]) for side in (ours, theirs)]
            ratios = [ratio for a, b in zip(ours, theirs, strict=True) if (ratio := _times(b, a)) is not None]
            ends = dict.fromkeys(f"{of(ratios):.0f}" for of in (min, max)) if ratios else {}
            spread = f"{' to '.join(ends)} ×" if ends else ""
            which = "drifting" if drifting else "still"
            lines.append(
                (MEANING[sorter], f"{len(shared)} {which}", f"{accuracies[0]:.3f}", f"{accuracies[1]:.3f}", spread)
            )
    header = ("peer", "sets it finished", "mean accuracy of ours on them", "of the peer", "its CPU time, of ours")
    return [table(header, lines), _each(done), *_projected(done)] if lines else []


def _each(done: dict[tuple[str, str], dict[str, Any]]) -> str:
    """On how many sets ours is as accurate as the peer with the better of its settings, and the worst of them."""
    best: dict[str, float] = {}
    for (name, of), made in done.items():
        if of in PEERS and (name, OURS) in done:
            best[name] = max(best.get(name, 0.0), made["score"]["accuracy"])
    gains = {name: done[name, OURS]["score"]["accuracy"] - accuracy for name, accuracy in best.items()}
    as_good, worst = sum(gain >= -0.0005 for gain in gains.values()), min(gains, key=gains.__getitem__)
    return (
        f"Set by set, against the better of its settings there: ours is as accurate or more on {as_good} of "
        f"{len(gains)};\nthe least difference is {gains[worst]:+.3f} ({worst})."
    )


def _projected(done: dict[tuple[str, str], dict[str, Any]]) -> list[str]:
    """What the peer would take for the sets of minutes, at the rates of the runs that it finished."""

    def size(name: str) -> float:
        kind = KINDS[parsed(name)[0]]
        return kind.n_channels * kind.duration_s

    rates = [made["cpu_s"] / size(name) for (name, of), made in done.items() if of in PEERS]
    longer = [name for name in BESIDE_DEFAULT if name not in BESIDE_PEER and (name, OURS) in done]
    if not rates or not longer:
        return []
    hours = sorted(rate * size(max(longer, key=size)) / 3600 for rate in (min(rates), max(rates)))
    return [
        f"Its runs took {min(rates):.2f} to {max(rates):.2f} CPU seconds for each channel and second. At these rates, "
        f"the largest\nof the other sets below ({max(longer, key=size)}) would take {hours[0]:.1f} to {hours[1]:.1f} "
        "hours, so it was not run on them."
    ]


def _beside_default(done: dict[tuple[str, str], dict[str, Any]]) -> list[str]:
    shared = [name for name, of in done if of == OURS and (name, DEFAULT) in done]
    if not shared:
        return []
    lines, changes = [], []
    for name in shared:
        mine, usual = done[name, OURS], done[name, DEFAULT]
        changes.append(mine["score"]["accuracy"] - usual["score"]["accuracy"])
        verdict = "`dartsort`" if changes[-1] > 0.0005 else "`default`" if changes[-1] < -0.0005 else "equal"
        marked = name + ", earlier code" * any("earlier code" in made for made in (mine, usual))
        lines.append(
            (marked, *(cell for both in zip(_cells(usual), _cells(mine), strict=True) for cell in both), verdict)
        )
    header = [f"{of}: {what}" for what in ("accuracy", "well", "extra", "CPU, s") for of in ("default", "dartsort")]
    better, worse = sum(c > 0.0005 for c in changes), sum(c < -0.0005 for c in changes)
    text = (
        f"`dartsort` is more accurate on {better} of {len(shared)} sets, `default` on {worse}; the mean difference is "
        f"{np.mean(changes):+.3f}."
    )
    return [text, table(("set", *header, "better"), lines)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one recording of 16 channels × 10 s; writes no table")
    parser.add_argument("--peer", default=sys.executable, help="the Python in whose environment dartsort is installed")
    parser.add_argument("--keep", type=Path, help="folder in which recordings and results stay")
    parser.add_argument("--limit-s", type=float, default=sorters.LIMIT_S, help="time limit of one sort")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="no sort runs on after so many minutes")
    parser.add_argument("--sets", nargs="+", help="some sets alone: prints, and writes no table")
    parser.add_argument("--sorters", nargs="+", help="some sorters alone, such as dartsort-still, as with --sets")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        given = {"peers": options.peer, "limit_s": options.limit_s, "minutes": options.minutes}
        runs = run(quick=options.quick, folder=folder, sets=options.sets, choice=options.sorters, **given)
        runs = with_earlier_code(runs, folder)
    runs = runs if options.quick else with_earlier(runs)
    parts = report(runs)
    peer_ran = any(made["state"] == "done" and made["sorter"] in PEERS for made in runs)
    if options.quick or options.sets or options.sorters or not peer_ran:
        print("\n\n".join(parts))
    else:
        write_result("dartsort", *parts)


if __name__ == "__main__":
    main()
