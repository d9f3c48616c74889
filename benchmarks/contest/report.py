"""The results as a page in Markdown: what is required and reached, accuracy and cost, and detailed scores."""

from collections.abc import Sequence

from harness import table

from .kinds import KINDS
from .sets import parsed
from .verdict import GIB, Run, is_ours, sides, verdicts

COSTS = "wall, s", "CPU, s", "peak, GiB", "load"

ACCURACY_HEADER = "set", "sorter", "mean accuracy", "well detected", "extra units", *COSTS
HARD_HEADER = (
    "set", "sorter", "unmatched, active", "artifact / fragment / far / other", "artifact units, active or not",
    "counted twice across units: of chance", "where no two fired", "within a unit",
)  # fmt: skip
SIGNS = {True: "reached", False: "**not reached**", None: "not decided"}

INTRODUCTION = (
    "The same int16 files for all, 30 kHz, no GPU, each sorter once per set in a process of its own with its "
    "defaults. `default` and `preset:…` are ours and get the file. The peers are told which channels are dead "
    "or noisy, which are then left out, and get traces with the sampling delays corrected; ours finds out by "
    "itself. `truth+…` are SpikeInterface's matchers given the true templates. A set is a kind and a seed; seeds "
    "0 to 9 and from 100 on are for choosing parameters of ours, 10 to 14 are not; what earlier versions of ours made "
    "of the latter may have been known. **The peers do not repeat themselves**: of three runs on the same file, Lupin "
    "found 107, 109 and 111 dense units, and 0.76, 0.81 and 0.91 of the coincident spikes; a difference of that size, "
    "or of some spikes on a small probe, decides nothing. One recording holds few units near the limit of what can be "
    "found: where a kind was run with several seeds, `kind:10+11` are all of them together, accuracies averaged and "
    "units counted."
)
TESTED = (
    "That sortings do not depend on chunks, workers and repetition, and that a late parameter runs only the "
    "stages after it again, is not measured here but tested: `tests/sorter/test_identical.py`, "
    "`tests/sorter/test_late_parameters.py`."
)
ACCURACY = (
    "Accuracy by SpikeInterface's `compare_sorter_to_ground_truth(exhaustive_gt=True)`, zero for units that are "
    "not found; well detected: accuracy of at least 0.8; extra units: false positive / redundant / overmerged. "
    "Times are those of the whole process, imports and export included; our kernels are compiled beforehand and "
    "kept, what the peers compile in every process is part of their time, which tells in a recording of a minute. "
    "Memory is that of the process that is started, without workers. "
    "Load: cores that other processes kept busy in the second before. **Times of rows with a load are no measure "
    "of speed**; a sort that was held to one core says so."
)
HARD = (
    "Unmatched: agrees by less than 0.2 with every true unit; active: at least 0.5 spikes a second. Of these, "
    "*artifact*: half of the spikes in movements or stimulation; *fragment*: half are those of one true unit; "
    "*far*: half are those of the unlabelled units of the hash within 60 µm; *other*: none of these. Counted "
    "twice: spikes of two units, peak channels at most 30 µm apart, within 0.2 ms, against what independent "
    "trains would give; true units that are driven together fire together as well, so those are also counted where "
    "not both of the true units fired that the two stand for. Within a unit: 0.3 ms."
)
BURSTS = (
    "Pieces: tested units that are by half made of one true unit and hold 5 % of it; a unit in two pieces is "
    "split. Coincident: spikes within 1 ms of one of another true unit at most 100 µm away."
)
BACKGROUND = "Far units, field and artifacts of the hard setting, and no unit to find. Active and kinds as above."


def report(runs: Sequence[Run]) -> tuple[str, ...]:
    """The whole page, except for the description of the machine, which the caller adds."""
    begun, missing = [m for m in runs if "when" in m], [m for m in runs if "when" not in m]
    return (*_page(begun), _when(begun), *([_not_run(missing)] if missing else []))


def demanded(runs: Sequence[Run]) -> list[str]:
    """The section that says what is demanded on these sets and what is reached; empty if nothing is."""
    rows = [(v.name, v.demand, v.measured, SIGNS[v.reached]) for v in verdicts(runs)]
    header = "set", "demand on `default`", "measured: ours; best peer", "verdict"
    return ["## What is demanded, and what is reached", table(header, rows)] if rows else []


def _page(runs: Sequence[Run]) -> list[str]:
    parts = ["# Sorters side by side", INTRODUCTION]
    demands = demanded(runs)
    if demands:
        parts += [*demands, TESTED]
    of_role = {
        role: [made for made in ordered(runs) if KINDS[parsed(made["set"])[0]].role == role]
        for role in ("accuracy", "background", "speed")
    }
    scored = of_role["accuracy"] + of_role["speed"]
    if scored:
        parts += ["## Accuracy and cost", ACCURACY, table(ACCURACY_HEADER, [_accuracy_row(made) for made in scored])]
    hard = [made for made in scored if parsed(made["set"])[0] == "hard" and made["state"] == "done"]
    if hard:
        parts += ["## The hard setting, looked into", HARD, table(HARD_HEADER, [_hard_row(made) for made in hard])]
        parts += ["By stratum, well detected of all:", _strata_table(hard)]
    bursts = [m for m in scored if parsed(m["set"])[0] in ("bursting", "synchronous") and m["state"] == "done"]
    if bursts:
        header = "set", "sorter", "units in pieces", "coincident spikes", "their recall", "counted twice, × chance"
        parts += ["## Bursts and coincidences", BURSTS, table(header, [_burst_row(made) for made in bursts])]
    if of_role["background"]:
        header = "set", "sorter", "units", "active", "artifact / far / other", "labelled good", *COSTS
        rows = [_background_row(made) for made in of_role["background"]]
        parts += ["## Background only", BACKGROUND, table(header, rows)]
    return parts


def ordered(runs: Sequence[Run]) -> list[Run]:
    """Runs grouped by set, ours first."""
    names = [side.name for side in sides(runs)]
    return sorted(runs, key=lambda made: (names.index(made["set"]), not is_ours(made)))


def _accuracy_row(made: Run) -> tuple[object, ...]:
    if made["state"] != "done":
        return (made["set"], made["sorter"], made["state"].replace("|", "/"), *["–"] * 6)
    s = made["score"]
    extra = f"{s['false positive']} / {s['redundant']} / {s['overmerged']}"
    found = f"{s['well']} of {s['truth units']}"
    return (made["set"], made["sorter"], f"{s['accuracy']:.3f}", found, extra, *_costs(made))


def _hard_row(made: Run) -> tuple[object, ...]:
    s = made["score"]
    kinds = s["kinds"]
    doubles = f"{s['double across']} of {s['double chance']:.0f} ({s['double across'] / s['double chance']:.1f} ×)"
    return (
        made["set"],
        made["sorter"],
        s["unmatched active"],
        f"{kinds['artifact']} / {kinds['fragment']} / {kinds['far']} / {kinds['other']}",
        s["artifact units"],
        doubles,
        s["double untrue"],
        s["double same"],
    )


def _strata_table(hard: Sequence[Run]) -> str:
    names = list(hard[0]["score"]["strata"])
    rows = []
    for made in hard:
        strata = made["score"]["strata"].values()
        rows.append((made["set"], made["sorter"], *(f"{s['well']} of {s['units']}" for s in strata)))
    return table(("set", "sorter", *names), rows)


def _burst_row(made: Run) -> tuple[object, ...]:
    s = made["score"]
    ratio = s["double across"] / max(s["double chance"], 1e-9)
    pieces = f"{s['split']} of {s['truth units']}"
    return (
        made["set"],
        made["sorter"],
        pieces,
        f"{s['coincident']:.0%}",
        f"{s['coincident recall']:.3f}",
        f"{ratio:.1f}",
    )


def _background_row(made: Run) -> tuple[object, ...]:
    if made["state"] != "done":
        return (made["set"], made["sorter"], made["state"].replace("|", "/"), *["–"] * 7)
    s = made["score"]
    kinds = f"{s['kinds']['artifact']} / {s['kinds']['far']} / {s['kinds']['other']}"
    good = "no labels" if s["good"] is None else s["good"]
    return (made["set"], made["sorter"], s["units"], s["active"], kinds, good, *_costs(made))


def _costs(made: Run) -> tuple[str, ...]:
    load = f"{made['load']:.1f}" + ("" if made["cores"] == 2 else f", {made['cores']} core")
    return f"{made['wall_s']:.0f}", f"{made['cpu_s']:.0f}", f"{made['peak_bytes'] / GIB:.1f}", load


def _not_run(missing: Sequence[Run]) -> str:
    """One sentence that names the sorters that were absent or not reached."""
    reasons = dict.fromkeys(made["state"] for made in missing)
    told = [(why, ", ".join(f"{m['sorter']} on {m['set']}" for m in missing if m["state"] == why)) for why in reasons]
    return "Not run: " + "; ".join(f"{which} ({why})" for why, which in told) + "."


def _when(runs: Sequence[Run]) -> str:
    done = sorted(made["when"] for made in runs if "when" in made)
    if not done:
        return "Nothing was run."
    versions = sorted({made["version"] for made in runs if made.get("version")})
    kinds = "; ".join(f"`{name}`: {KINDS[name].title}" for name in dict.fromkeys(parsed(m["set"])[0] for m in runs))
    return (
        f"Sets: {kinds}. Runs from {done[0]} to {done[-1]}. Versions: {', '.join(versions)} (ours: the preset and a "
        "digest of its code and parameters)."
    )
