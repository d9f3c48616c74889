"""Files of dartsort's own version read here, and ours read by it, array by array.

    python benchmarks/dartsort_files.py [--quick] [--peer PYTHON] [--keep FOLDER]

dartsort, in the environment of PYTHON, sorts a recording of 16 channels × 10 s and keeps its intermediate files; the
call ``xephys.dartsort.dartsort`` sorts the same recording. Either reads the files of the other with its own reader, and
dartsort saves anew what it read. An array is the same if its type, its shape and every byte are, whole numbers as
int64. ``--quick`` reads ours alone, and writes no table.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from contest.peer_files import OWN, described, sorting_files
from contest.sets import recorded, restored
from harness import table, write_result

SET = "quick:0"
PEER = Path(__file__).parent / "contest" / "peer_files.py"
CFG = {"save_final_features": True, "work_in_tmpdir": True}


class Row(NamedTuple):
    """One file: who wrote and who read it, how many spikes and arrays it has, and which arrays came differently."""

    file: str
    written_by: str
    read_by: str
    n_spikes: int
    n_arrays: int
    differ: tuple[str, ...]


def run(*, peer: str | None, folder: Path) -> list[Row]:
    made = restored(recorded(SET, folder / "recordings"))
    ours, theirs = _sorted_here(made.path, folder / "ours"), folder / "theirs"
    if peer is None:
        return [compared(path, _read(path), "xephys", "xephys") for path in sorting_files(ours)]
    if not (theirs / "sorted" / "dartsort_sorting.npz").exists():
        _call(peer, "sort", made.path.parent, theirs)
    _call(peer, "read", theirs / "sorted")
    _call(peer, "read", ours)
    rows = [compared(path, _told(path), "dartsort", "xephys") for path in sorting_files(theirs / "sorted")]
    rows += [compared(path, _told(path), "xephys", "dartsort") for path in sorting_files(ours)]
    again = [(path, path.with_suffix(".again.npz")) for path in sorting_files(ours) if path.suffix == ".npz"]
    return [*rows, *(compared(copy, _told(path), "dartsort, of ours", "xephys") for path, copy in again)]


def compared(path: Path, told: Mapping[str, Any], written_by: str, read_by: str) -> Row:
    """What the other reader found in a file, beside what ours finds in it."""
    names = [name for name in told if name != "sampling_frequency"]
    mine = described(_sorting(path), names)
    differ = tuple(name for name in told if told[name] != mine[name])
    return Row(path.name, written_by, read_by, told["times_samples"][1][0], len(names), differ)


def _sorted_here(recording: Path, out: Path) -> Path:
    import xephys
    from xephys.dartsort import dartsort

    dartsort(xephys.open_recording(recording), out, CFG)
    return out


def _sorting(path: Path) -> Any:
    from xephys.dartsort import DARTsortSorting

    return DARTsortSorting.load(path) if path.suffix == ".npz" else DARTsortSorting.from_peeling_hdf5(path)


def _read(path: Path) -> dict[str, Any]:
    sorting = _sorting(path)
    return described(sorting, [*OWN, *sorting.spike_feature_dict])


def _told(path: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(path.with_name(path.name + ".json").read_text(encoding="utf-8"))
    return told


def _call(peer: str, *arguments: object) -> None:
    command = [peer, "-W", "ignore", str(PEER), *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True)


def report(rows: list[Row]) -> list[str]:
    lines = [
        (f"`{row.file}`", row.written_by, row.read_by, row.n_spikes, row.n_arrays, ", ".join(row.differ) or "none")
        for row in rows
    ]
    return [
        "# dartsort's files, read and written",
        "Each file of a sort of 16 channels × 10 s, read by the other's reader and compared with what the reader of\n"
        "its own makes of it: shape, type (whole numbers: of any length) and bytes of the spikes, the labels, the\n"
        "probe and all features of one number or vector a spike.",
        table(("file", "written by", "read by", "spikes", "arrays", "different"), lines),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="our files alone; writes no table")
    parser.add_argument("--peer", help="the Python in whose environment dartsort is installed")
    parser.add_argument("--keep", type=Path, help="folder in which the recording and the files stay")
    options = parser.parse_args()
    peer = None if options.quick else options.peer
    with tempfile.TemporaryDirectory() as scratch:
        rows = run(peer=peer, folder=options.keep or Path(scratch))
    if peer is None:
        print("\n\n".join(report(rows)))
    else:
        write_result("dartsort_files", *report(rows))


if __name__ == "__main__":
    main()
