"""Our sorter and the peers on the same files: accuracy, extra units, time, memory, and what ours is required to reach.

    python benchmarks/sorters.py [--quick] [--peers PYTHON] [--keep FOLDER] [--minutes N] [--sets hard:10 ...]

Every sorter is a process of its own with its own defaults: first the sorters whose time is judged, one after another on
two cores, then the others, two at a time on one core each. The peers run in the environment of PYTHON, which needs
SpikeInterface and the sorters' requirements (torch, hdbscan, kilosort). A sorter that cannot run there is listed as
absent; one that fails or exceeds the limit is listed with the reason. With ``--keep``, recordings and results stay in
FOLDER and finished runs are not repeated, so that a table can be put together over several calls. Without any peer no
table is written.
"""

import argparse
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

from contest import kept, running
from contest.kinds import KINDS
from contest.plain import plain_table
from contest.report import report
from contest.scoring import score
from contest.sets import Recorded, is_made, parsed, recorded, restored
from harness import run_process, write_result, xephys_command

PEERS = ("lupin", "spykingcircus2", "tridesclous2")
#: SpikeInterface's best matcher with the true templates; ``truth+wobble``, its other one, finds fewer on dense sets.
MATCHER = "truth+circus-omp"
#: Most important sets first: what does not fit into the time is left for the next call.
SETS = (
    "hard:10", "dense:10", "static:10", "static300:10", "easy:10", "background:10", "tetrodes:10", "tetrode:10",
    "linear:10", "single:10", "bursting:10", "synchronous:10", "speed:10", "speed600:10", "hard:11", "dense:11",
    "static:11", "hard:12", "dense:12", "static:12", "single:11", "tetrode:11", "tetrode:12", "tetrode:13",
    "tetrode:14", "dense-np1:10", "tissue:10", "dense-np1:11", "dense-np1:12", "tissue:11", "tissue:12",
    "long:10", "long:11", "long:12",
    "crowded4:10", "hard4:10", "hard1:10", "hard2:10", "hard8:10", "hard16:10", "hard32:10", "crowded4:11", "hard4:11",
    "crowded4:12", "hard4:12",
)  # fmt: skip
#: Further sets of a kind serve the requirements alone, with one preset.
FIRST = ":10"
N_LANES = 2
LIMIT_S = 1800.0
#: Larger recordings are removed after their last sort; they can be made again from their seed.
KEPT_BYTES = 4 * 2**30
#: Kilosort4, by far the slowest, runs on one set of a minute: its time is compared for 128 channels.
SLOWEST = ("static:10", "kilosort4")
#: What is sorted once before times are taken: a still recording does not compile the kernels of moving tissue.
WARMING = ("warm:0", "short16-nonrigid:0")
Pair = tuple[str, str]
_ONE_AT_A_TIME = threading.Lock()


def plan() -> list[Pair]:
    """Which sorter runs on which set."""
    pairs = []
    for name in SETS:
        first = name.endswith(FIRST)
        ours = running.presets() if first and not name.startswith("speed") else ("default",)
        peers = () if name.startswith("speed600") else PEERS
        matchers = (MATCHER,) if name.startswith("dense") else ()
        pairs += [(name, sorter) for sorter in (*ours, *peers, *matchers)]
    return [*pairs, SLOWEST]


def run(
    pairs: Sequence[Pair],
    *,
    folder: Path,
    peers: str = sys.executable,
    limit_s: float = LIMIT_S,
    minutes: float = float("inf"),
    keep_recordings: bool = True,
) -> list[dict[str, Any]]:
    """Sort set after set, unless the folder has the result already; returns the results in the order of the pairs.

    One sort runs at a time where time is judged or where there is one core; otherwise every core works on a set of its
    own.

    Raises
    ------
    ValueError
        If there is no such set.
    """
    for name, _ in pairs:
        parsed(name)
    until = time.monotonic() + 60 * minutes
    runs: dict[Pair, dict[str, Any]] = {}
    given = {"folder": folder, "peers": peers, "limit_s": limit_s, "until": until}
    alone = [pair for pair in pairs if pair == SLOWEST or KINDS[parsed(pair[0])[0]].role == "speed"]
    left = {name: sum(pair[0] == name for pair in pairs) for name, _ in pairs}

    def work(pair: Pair) -> None:
        runs[pair] = one(*pair, **given)
        with _ONE_AT_A_TIME:
            (folder / "TABLE.txt").write_text(plain_table(kept.all_runs(folder)), encoding="utf-8")
            left[pair[0]] -= 1
            if not left[pair[0]]:
                _tidy(folder / "recordings", pair[0], keep=keep_recordings)

    for pair in alone:
        work(pair)
    names = iter(list(left))  # shared by the lanes: each takes the next set that no other has begun

    def lane(core: int) -> None:
        os.sched_setaffinity(0, {core})  # of this thread and of the processes that it starts
        for name in names:
            for pair in pairs:
                if pair[0] == name and pair not in alone:
                    work(pair)

    cores = sorted(os.sched_getaffinity(0))[:N_LANES]
    with ThreadPoolExecutor(len(cores)) as lanes:
        for ended in [lanes.submit(lane, core) for core in cores]:
            ended.result()
    return [runs[pair] for pair in pairs]


def one(name: str, sorter: str, *, folder: Path, peers: str, limit_s: float, until: float) -> dict[str, Any]:
    """One sorter on one set: its stored result or a new one, scored by the current definition of the scores."""
    if not is_made(name, folder / "recordings") and time.monotonic() >= until:
        return {"set": name, "sorter": sorter, "state": "no time left"}
    recording = recorded(name, folder / "recordings")
    made = kept.kept_run(folder, recording, sorter, limit_s=limit_s)
    if made is None:
        left_s = until - time.monotonic()
        made = sorted_anew(sorter, recording, folder, peers=peers, limit_s=min(limit_s, left_s))
    if made["state"] == "done" and made.get("scoring") != kept.SCORING:
        found = running.found(kept.place_of(folder, name, sorter))
        made |= {"score": score(found, restored(recording)), "scoring": kept.SCORING}
    if "when" in made:
        kept.keep(folder, made)
    return made


def sorted_anew(sorter: str, recording: Recorded, folder: Path, *, peers: str, limit_s: float) -> dict[str, Any]:
    """A new run; it has no ``when`` if it was not even begun."""
    if limit_s < 1:
        return {"set": recording.name, "sorter": sorter, "state": "no time left"}
    if sorter not in running.ours() and not running.installed(sorter, peers):
        return {"set": recording.name, "sorter": sorter, "state": "absent"}
    restored(recording)
    if sorter in running.ours():
        with _ONE_AT_A_TIME:
            compiled(folder, sorter)
    out = kept.place_of(folder, recording.name, sorter)
    return running.run(sorter, recording, out, peers=peers, limit_s=limit_s)


def compiled(folder: Path, sorter: str) -> None:
    """Compile and cache our kernels once for each state of the code, so that no timed sort compiles."""
    mark = folder / "compiled" / running.identity(sorter).replace(":", "-")
    if not mark.exists():
        for name in WARMING:
            small, preset = restored(recorded(name, folder / "recordings")), running.ours()[sorter]
            with tempfile.TemporaryDirectory() as out:
                run_process(xephys_command("sort", small.path, "--out", Path(out) / "sorted", "--preset", preset))
        mark.parent.mkdir(exist_ok=True)
        mark.touch()


def _tidy(recordings: Path, name: str, *, keep: bool) -> None:
    if not is_made(name, recordings):
        return
    path = recorded(name, recordings).path
    if path.exists():
        size = sum(part.stat().st_size for part in path.rglob("*.raw"))
        if not keep or size > KEPT_BYTES:
            shutil.rmtree(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one recording of 16 channels × 10 s; writes no table")
    parser.add_argument("--peers", default=sys.executable, help="the Python in whose environment the peers run")
    parser.add_argument("--sets", nargs="+", help="kind:seed of each recording; with --sorters instead of the plan")
    parser.add_argument("--sorters", nargs="+", help="default, preset:NAME, peers, truth+wobble, truth+circus-omp")
    parser.add_argument("--keep", type=Path, help="folder in which recordings and results stay")
    parser.add_argument("--limit-s", type=float, default=LIMIT_S, help="time limit of one sort")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="no sort runs on after so many minutes")
    options = parser.parse_args()
    sorters = options.sorters or ("default", *PEERS)
    pairs = list(product(options.sets, sorters)) if options.sets else plan()
    if options.quick:
        pairs = [("quick:0", sorter) for sorter in sorters]
    given = {"peers": options.peers, "limit_s": options.limit_s, "minutes": options.minutes}
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        runs = run(pairs, folder=folder, keep_recordings=options.keep is not None, **given)
    peers_ran = any(made["state"] == "done" and made["sorter"] in PEERS for made in runs)
    if options.sets or options.quick or not peers_ran:
        print("\n\n".join([*report(runs), plain_table(runs)]))
    else:
        write_result("sorters", *report(runs))


if __name__ == "__main__":
    main()
