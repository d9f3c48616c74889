"""The call ``xephys.dartsort.dartsort`` on drifting recordings with the motion of others, with its own, and with none.

    python benchmarks/dartsort_motion.py [--quick] --peer PYTHON [--keep FOLDER] [--sets short-slow:10 ...]

SpikeInterface's ``Motion`` and DREDge's estimate come from the environment of PYTHON, which has spikeinterface with
torch and ``dredge-ephys``, on the events of our own detection; ``--quick`` needs neither. Finished sets stay in FOLDER.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from contest.kinds import KINDS
from contest.running import identity
from contest.scoring import Found, compared
from contest.sets import Recorded, parsed, recorded, restored
from harness import table, write_result
from motion import kept

SETS = ("short16-slow:10", "short16-steps:10", "short16-hard-slow:10", "short-slow:10")
CFG = {"preprocessing": "ibllikecmr", "save_final_features": False, "work_in_tmpdir": True}
HERE = Path(__file__).parent
#: On a shorter probe, SpikeInterface estimates one displacement: it has no room for two of its windows.
RIGID_BELOW_UM = 600.0
#: Where the motion comes from, in the order of the columns.
SOURCES = ("none", "estimated", "si_motion", "dredge_motion_est", "truth")
MEANING = {
    "none": "none", "estimated": "estimated here", "si_motion": "SpikeInterface's `Motion`",
    "dredge_motion_est": "DREDge's estimate", "truth": "the truth, as a `MotionInfo`",
}  # fmt: skip


class Row(NamedTuple):
    """Accuracy, well detected units and all units by source of the motion; None where it was not asked for."""

    name: str
    accuracy: tuple[float | None, ...]
    well: tuple[int | None, ...]
    n_units: int


def row_of(name: str, folder: Path, peer: str | None) -> Row:
    import xephys
    from xephys.dartsort import dartsort

    made = restored(recorded(name, folder / "recordings"))
    recording = xephys.open_recording(made.path)
    with tempfile.TemporaryDirectory() as scratch:
        given: dict[str, dict[str, Any]] = {"none": {}, "estimated": {}, **_of_others(recording, Path(scratch), peer)}
        if made.simulated_truth is not None:
            given["truth"] = {"motion": _true(made, recording)}
        scores: dict[str, tuple[float, int]] = {}
        for source, motion in given.items():
            cfg = {**CFG, "do_motion_estimation": source != "none"}
            spikes = dartsort(recording, Path(scratch) / source, cfg, **motion)["sorting"].flatten()
            found = Found(spikes.times_samples, spikes.labels, spikes.n_units, None)
            accuracy, _ = compared(found, made.truth, {})
            scores[source] = float(np.mean(accuracy)), int((accuracy >= 0.8).sum())
    by = [scores.get(source, (None, None)) for source in SOURCES]
    return Row(name, tuple(a for a, _ in by), tuple(w for _, w in by), KINDS[made.kind].n_units)


def _of_others(recording: Any, scratch: Path, peer: str | None) -> dict[str, dict[str, Any]]:
    """The motion that SpikeInterface and DREDge find in our events, as their objects."""
    if peer is None:
        return {}
    from spikeinterface.core.motion import Motion

    from xephys.dartsort import dartsort

    events = dartsort(recording, scratch / "events", {**CFG, "dredge_only": True, "do_motion_estimation": False})
    sorting, rate = events["sorting"], float(recording.attrs["sampling_frequency"])
    depth = sorting.point_source_localizations[:, 2]
    amplitude = np.abs(sorting.collisioncleaned_voltages)
    np.savez(scratch / "events.npz", amplitude=amplitude, depth_um=depth, time_s=sorting.times_seconds)
    fields = [("sample_index", "<i8"), ("channel_index", "<i8"), ("amplitude", "<f8"), ("y", "<f8")]
    peaks = np.zeros(len(depth), fields)
    peaks["sample_index"], peaks["channel_index"] = sorting.times_samples, sorting.channels
    peaks["amplitude"], peaks["y"] = amplitude, depth
    positions = np.column_stack([recording["x"].values, recording["y"].values])
    given = {"peaks": peaks, "positions": positions, "duration_s": recording.sizes["time"] / rate}
    rigid = np.ptp(positions[:, 1]) < RIGID_BELOW_UM
    np.savez(scratch / "peaks.npz", **given, sampling_frequency=rate, rigid=rigid)
    for script, source in (("peer", "peaks"), ("peer_dredge", "events")):
        command = [peer, "-W", "ignore", str(HERE / "drifting" / f"{script}.py"), str(scratch / f"{source}.npz")]
        subprocess.run([*command, str(scratch / f"{script}.npz")], check=True, capture_output=True)
    theirs, dredge = (dict(np.load(scratch / f"{script}.npz")) for script in ("peer", "peer_dredge"))
    estimate = SimpleNamespace(**{"spatial_bin_centers_um": None, **dredge})
    return {
        "si_motion": {"si_motion": Motion([theirs["displacement"]], [theirs["time_s"]], theirs["depth_um"])},
        "dredge_motion_est": {"dredge_motion_est": estimate},
    }


def _true(made: Recorded, recording: Any) -> Any:
    import xephys
    from xephys.dartsort import MotionInfo

    geom = np.column_stack([recording["x"].values, recording["y"].values])
    times = np.arange(0.25, made.duration_s, 0.5)
    depths = np.linspace(geom[:, 1].min(), geom[:, 1].max(), 5)
    course = made.simulated_truth.motion.displacement(times[:, None], depths[None, :])
    return MotionInfo.of_motion(xephys.make_motion(course, time_s=times, depth_um=depths), geom=geom)


def run(*, quick: bool, folder: Path, sets: Sequence[str] = SETS, peer: str | None = None) -> list[Row]:
    names, code = ("quick:0",) if quick else sets, identity("preset:dartsort").replace(":", "-")
    rows = []
    for name in names:
        place = f"{name.replace(':', '-')}-{code}-{'all' if peer else 'ours'}"
        rows.append(Row(*kept(folder / "motions", place, lambda name=name: row_of(name, folder, peer))))
    return rows


def report(rows: list[Row]) -> list[str]:
    lines = [
        (row.name, *("" if a is None else f"{a:.3f} ({w} of {row.n_units})" for a, w in zip(*row[1:3], strict=True)))
        for row in rows
    ]
    kinds = dict.fromkeys(parsed(row.name)[0] for row in rows)
    return [
        "# dartsort's call with the motion of others",
        "Mean accuracy, 0 for true units that are not found, and units with 0.8 or more. Both programs got the events\n"
        "of our detection.",
        table(("set", *(MEANING[source] for source in SOURCES)), lines),
        "Sets: " + "; ".join(f"`{kind}`: {KINDS[kind].title}" for kind in kinds) + ".",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one recording of 16 channels × 10 s; writes no table")
    parser.add_argument("--peer", help="the Python in whose environment SpikeInterface with torch and DREDge are")
    parser.add_argument("--keep", type=Path, help="folder in which recordings and results stay")
    parser.add_argument("--sets", nargs="+", default=SETS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        rows = run(quick=options.quick, folder=options.keep or Path(scratch), sets=options.sets, peer=options.peer)
    if options.quick or options.peer is None or tuple(options.sets) != SETS:
        print("\n\n".join(report(rows)))
    else:
        write_result("dartsort_motion", *report(rows))


if __name__ == "__main__":
    main()
