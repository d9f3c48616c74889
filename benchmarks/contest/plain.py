"""The results as plain text, one line per run, for following a long comparison while it runs."""

from collections.abc import Sequence
from typing import Any

from .verdict import GIB, Run

LINE = (
    "{set:15s} {sorter:22s} {well!s:>8s} {accuracy:>6s} {extra:>11s} {doubles:>17s} {same!s:>5s} {artifacts!s:>5s} "
    "{active!s:>7s} {kinds:>15s} {strong:>7s} {positive:>5s} {recall:>6s} {split!s:>5s} {units!s:>5s} {good!s:>4s} "
    "{wall:>6s} {cpu:>6s} {peak:>5s}  {state}"
)
NAMES = {
    "set": "set", "sorter": "sorter", "well": "well", "accuracy": "acc", "extra": "FP/red/over",
    "doubles": "dbl/untrue/chance", "same": "same", "artifacts": "artef", "active": "unm.act",
    "kinds": "a/frag/far/oth", "strong": "SNR>6", "positive": "pos", "recall": "coinc", "split": "split",
    "units": "units", "good": "good", "wall": "wall", "cpu": "cpu", "peak": "GiB", "state": "when, load",
}  # fmt: skip


def plain_table(runs: Sequence[Run]) -> str:
    """One line per run, for following a long comparison."""
    return "\n".join([LINE.format(**NAMES), *(_plain_line(made) for made in runs)]) + "\n"


def _plain_line(made: Run) -> str:
    name = made.get("identity", made["sorter"])
    if made["state"] != "done":
        return f"{made['set']:15s} {name:22s} {made['state'][:150]}"
    s: dict[str, Any] = made["score"]
    strata = {k: f"{v['well']}/{v['units']}" for k, v in s.get("strata", {}).items()}
    recall = s.get("coincident recall")
    scored = "accuracy" in s
    return LINE.format(
        set=made["set"],
        sorter=name,
        well=f"{s['well']}/{s['truth units']}" if scored else "-",
        accuracy=f"{s['accuracy']:.3f}" if scored else "-",
        extra=f"{s['false positive']}/{s['redundant']}/{s['overmerged']}" if scored else "-",
        doubles=f"{s['double across']}/{s.get('double untrue', '-')}/{s['double chance']:.0f}",
        same=s["double same"],
        artifacts=s.get("artifact units", "-"),
        active=s.get("unmatched active", "-"),
        kinds="/".join(map(str, s["kinds"].values())) if "kinds" in s else "-",
        strong=strata.get("throughout", "-"),
        positive=strata.get("positive", "-"),
        recall="-" if recall is None else f"{recall:.3f}",
        split=s.get("split", "-"),
        units=s["units"],
        good="-" if s["good"] is None else s["good"],
        wall=f"{made['wall_s']:.0f}",
        cpu=f"{made['cpu_s']:.0f}",
        peak=f"{made['peak_bytes'] / GIB:.2f}",
        state=f"{made['when']} load {made['load']}, {made['cores']} core(s)",
    )
