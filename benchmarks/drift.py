"""Drift: templates that follow it, traces that are corrected for it, neither, and the peers with their own corrections.

    python benchmarks/drift.py [--peers PYTHON] [--keep FOLDER] [--minutes N] [--sets hard-slow:10 ...] [--sorters ...]
                               [--add]

Recordings of the simulator whose tissue moves: slowly by 50 µm, non-rigidly by 40, in steps of 20, wandering by 20; and
one without motion. Sets of two minutes come first, then those of five. Everything else is as in ``sorters.py``. Without
a peer, or with a choice of sets or sorters, the table is printed and not written; with ``--add``, its rows are added to
the written page, in place of those of the same set and sorter.
"""

import argparse
import sys
import tempfile
from itertools import product
from pathlib import Path

from contest.plain import plain_table
from contest.report import demanded
from contest.running import VARIANTS
from drifting.page import peers_on, with_rows
from harness import RESULTS, write_result
from sorters import LIMIT_S, run

SETS = (
    "hard-slow120:10", "hard-nonrigid120:10", "hard-still120:10", "hard-slow:10", "hard-nonrigid:10", "hard-steps:10",
    "hard-wander:10", "hard-still:10", "easy-slow:10", "easy-nonrigid:10", "easy-steps:10", "hard-slow:11",
    "hard-nonrigid:11", "hard-steps:11", "hard-wander:11", "hard-slow:12", "hard-nonrigid:12", "hard-steps:12",
    "hard-wander:12",
)  # fmt: skip
PEERS = ("lupin", "spykingcircus2")
LEGEND = (
    "Peers with their defaults, motion correction included. `well`: units with an accuracy of at least 0.8; `acc`: "
    "mean accuracy; `FP/red/over`: units that match nothing, copies, units of several neurons; `SNR>6`: well-detected "
    "units above an SNR of 6 that fire throughout; `split`: units in several pieces. `when` tells the day and the "
    "cores to which a sorter was held: peers may have been run on another day, on the same files."
)
SORTERS = ("default", *VARIANTS, "preset:kilosort4", *PEERS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", default=sys.executable, help="the Python in whose environment the peers run")
    parser.add_argument("--sets", nargs="+", help="kind:seed of each recording")
    parser.add_argument("--sorters", nargs="+", help=f"some of {', '.join(SORTERS)}")
    parser.add_argument("--keep", type=Path, help="folder in which recordings and results stay")
    parser.add_argument("--limit-s", type=float, default=LIMIT_S, help="time limit of one sort")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="no sort runs on after so many minutes")
    parser.add_argument("--add", action="store_true", help="add the rows to the written page")
    options = parser.parse_args()
    pairs = list(product(options.sets or SETS, options.sorters or SORTERS))
    given = {"peers": options.peers, "limit_s": options.limit_s, "minutes": options.minutes}
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        runs = run(pairs, folder=folder, keep_recordings=options.keep is not None, **given)
    runs = [made for made in runs if made["state"] != "no time left"]
    table = plain_table(runs)
    peers_ran = any(made["state"] == "done" and made["sorter"] in PEERS for made in runs)
    if options.add:
        written = (RESULTS / "drift.md").read_text(encoding="utf-8").rstrip().rsplit("\n\n", 1)[0]  # less the machine
        measured = {(made["set"], made["sorter"]) for made in runs}
        peers = [made for made in peers_on(written) if (made["set"], made["sorter"]) not in measured]
        sets = {name for name, _ in measured}
        compared = [*runs, *(made for made in peers if made["set"] in sets)]
        write_result("drift", with_rows(written, [table, *demanded(compared)]))
    elif options.sets or options.sorters or not peers_ran:
        print(table)
    else:
        write_result("drift", LEGEND, f"```\n{table}```", *demanded(runs))


if __name__ == "__main__":
    main()
