"""Motion found in peaks whose displacement is known, against SpikeInterface's ``dredge_ap`` on the same peaks.

    python benchmarks/motion.py [--quick] [--peers PYTHON] [--peer-seeds 10 ...] [--keep FOLDER]
    python benchmarks/motion.py --kinds walk still [--peers PYTHON] [--peer-seeds 10 ...]

Errors are those of the displacement at nine depths in every second, less a constant at each depth, which cannot be
known. The peer gets the same peaks in a process of its own, one shank at a time. Last come hours of peaks: time and
memory. With ``--keep``, finished rows stay in FOLDER and are not made again by the next call with it. With ``--kinds``,
only the rows of these kinds are made again, and the table keeps its other rows; the peaks are the same, so what the
peer made of them stays too where it does not run again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from drifting.field import RATE, ROW_UM, moving_field
from drifting.peaks import KINDS, Drifting, generated, simulated
from harness import RESULTS, run_process, table, write_result

HERE = Path(__file__).parent
SEEDS = (10, 11, 12)
#: Kinds of displacement of the simulated recordings, and their seeds.
SIMULATED = (("nonrigid", 10), ("steps", 11), ("none", 12))
HOURS = (1.0, 6.0, 24.0)
#: Numbers of sources of the fields, and their seeds.
FIELDS = tuple((n_sources, seed) for n_sources in (3, 8, 40) for seed in (10, 11, 12))
#: The peer compares all pairs of 3600 bins here, which takes it more than ten minutes.
TOO_SLOW_FOR_PEER = ("walk",)


class Row(NamedTuple):
    """Median and 95th percentile of the error in µm, ours and theirs (NaN without the peer).

    ``known`` is the share of the displacement that our estimate calls known, ``moved`` the largest known displacement
    of tissue that is still (NaN otherwise).
    """

    kind: str
    seed: int
    n_peaks: int
    ours: tuple[float, float]
    theirs: tuple[float, float]
    known: float
    moved: float


class Long(NamedTuple):
    hours: float
    n_peaks: int
    wall_s: float
    cpu_s: float
    peak_gib: float
    error: tuple[float, float]


class Field(NamedTuple):
    """Errors in µm, ours and theirs; and the distance of the tissue from its median."""

    n_sources: int
    seed: int
    moved: tuple[float, float]
    ours: tuple[float, float]
    theirs: tuple[float, float]


def run(
    *,
    quick: bool,
    peers: str | None = None,
    peer_seeds: Sequence[int] = SEEDS,
    keep: Path | None = None,
) -> tuple[list[Row], list[Field], list[Long]]:
    kinds = ["slow", "two shanks", "still"] if quick else list(KINDS)
    sets: list[tuple[str, int, Callable[[], Drifting]]] = [
        (kind, seed, partial(generated, kind, seed, scale=0.2 if quick else 1.0))
        for kind in kinds
        for seed in SEEDS[: 1 if quick else 3]
    ]
    if not quick:
        sets += [(f"simulated, {drift}", seed, partial(simulated, drift, seed)) for drift, seed in SIMULATED]
    rows = []
    for kind, seed, make in sets:
        compared = peer_for(kind, seed, peers, peer_seeds)
        place = f"{kind}-{seed}-{'both' if compared else 'ours'}".replace(" ", "_")
        rows.append(Row(*kept(keep, place, partial(_row, kind, seed, make, compared))))
    hours = [Long(*kept(keep, f"hours-{h:g}", partial(long_of, h))) for h in ((0.05,) if quick else HOURS)]
    fields = []
    for n_sources, seed in FIELDS[:1] if quick else FIELDS:
        place = f"field-{n_sources}-{seed}-{'both' if peers else 'ours'}"
        fields.append(Field(*kept(keep, place, partial(field_of, n_sources, seed, peers, 5.0 if quick else 20.0))))
    return rows, fields, hours


def kept(folder: Path | None, name: str, make: Callable[[], tuple[Any, ...]]) -> Any:
    """A row from the folder, or a new one that is stored there."""
    path = None if folder is None else folder / f"{name}.json"
    if path is not None and path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    made = make()
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(made), encoding="utf-8")
    return made


def _row(kind: str, seed: int, make: Callable[[], Drifting], peers: str | None) -> Row:
    return row_of(kind, seed, make(), peers)


def row_of(kind: str, seed: int, given: Drifting, peers: str | None) -> Row:
    import xephys

    recording = xephys.make_recording(
        np.broadcast_to(np.int16(0), (int(given.duration_s * given.sampling_frequency), len(given.positions))),
        sampling_frequency=given.sampling_frequency,
        coordinates={"x": given.positions[:, 0], "y": given.positions[:, 1], "shank": given.shanks.astype(str)},
    )
    motion = xephys.estimate_motion(recording, given.peaks)
    ours, theirs, moved = [], [], []
    for shank, course in enumerate(given.displacement):
        times, depths, truth = _grid(given, course)

        def at(t: Any, z: Any, shank: int = shank) -> Any:
            return xephys.displacement_at(motion, time_s=t, depth_um=z, shank=str(shank))

        ours.append(_errors(at(times, depths + truth) - truth))
        theirs.append(
            _errors(peer(given, shank, peers)(times, depths + truth) - truth) if peers else np.array([np.nan])
        )
        known = motion.known.sel(shank=str(shank)).values
        values = motion.displacement_um.sel(shank=str(shank)).values
        moved.append(np.abs(values[known] - 0.0).max(initial=0.0) if not truth.any() else np.nan)
    return Row(
        kind, seed, len(given.peaks), _summary(ours), _summary(theirs), float(motion.known.mean()), float(np.max(moved))
    )


def field_of(n_sources: int, seed: int, peers: str | None, duration_s: float) -> Field:
    import xephys

    given = moving_field(n_sources, seed, duration_s=duration_s)
    y = ROW_UM * np.arange(given.traces.shape[1])
    recording = xephys.make_recording(
        given.traces, sampling_frequency=RATE, coordinates={"x": np.zeros(len(y)), "y": y}
    )
    times = np.arange(len(given.traces)) / RATE

    def errors(displacement: Any) -> tuple[float, float]:
        return _summary([_errors((displacement - given.displacement)[:, None])])

    theirs: Any = np.full(len(times), np.nan)
    if peers:
        with tempfile.TemporaryDirectory() as folder:
            np.savez(f"{folder}/field.npz", traces=given.traces, row_um=ROW_UM, rate=RATE)
            script = str(HERE / "drifting" / "peer_field.py")
            command = [peers, "-W", "ignore", script, f"{folder}/field.npz", f"{folder}/out.npz"]
            subprocess.run(command, check=True, capture_output=True)
            found = np.load(f"{folder}/out.npz")
            theirs = np.interp(times, found["time_s"], found["displacement"])
    return Field(
        n_sources,
        seed,
        errors(np.zeros(len(times))),
        errors(xephys.estimate_motion_lfp(recording).displacement_um.values[0, :, 0]),
        errors(theirs),
    )


def peer(given: Drifting, shank: int, peers: str) -> Any:
    """Their displacement of one shank, as a function."""
    from scipy.interpolate import RegularGridInterpolator

    channels = np.flatnonzero(given.shanks == shank)
    own = np.isin(given.peaks["channel_index"], channels)
    records = given.peaks[own]
    records["channel_index"] -= channels[0]
    with tempfile.TemporaryDirectory() as folder:
        np.savez(
            f"{folder}/peaks.npz", peaks=records, positions=given.positions[channels], duration_s=given.duration_s,
            sampling_frequency=given.sampling_frequency,
        )  # fmt: skip
        subprocess.run(
            [peers, "-W", "ignore", str(HERE / "drifting" / "peer.py"), f"{folder}/peaks.npz", f"{folder}/out.npz"],
            check=True, capture_output=True,
        )  # fmt: skip
        found = np.load(f"{folder}/out.npz")
        axes, values = (found["time_s"], found["depth_um"]), found["displacement"]
    if len(axes[1]) == 1:
        return lambda t, z: np.interp(t, axes[0], values[:, 0])
    linear = RegularGridInterpolator(axes, values)
    return lambda t, z: linear((np.clip(t, axes[0][0], axes[0][-1]), np.clip(z, axes[1][0], axes[1][-1])))


def _grid(given: Drifting, course: Any) -> tuple[Any, Any, Any]:
    """Times, registered depths and true displacements; silent minutes are left out."""
    seconds = np.arange(int(given.duration_s)) + 0.5
    if given.silent_s is not None:
        seconds = seconds[(seconds < given.silent_s[0]) | (seconds > given.silent_s[1])]
    y = given.positions[:, 1]
    times, depths = np.meshgrid(seconds, np.linspace(y.min(), y.max(), 9), indexing="ij")
    return times, depths, np.asarray(course(times, depths), float)


def _errors(difference: Any) -> Any:
    return np.abs(difference - np.median(difference, axis=0)).ravel()


def _summary(errors: list[Any]) -> tuple[float, float]:
    together = np.concatenate(errors)
    return float(np.median(together)), float(np.quantile(together, 0.95))


def long_of(hours: float) -> Long:
    with tempfile.TemporaryDirectory(dir=HERE) as folder:
        done = run_process(
            [sys.executable, "-m", "drifting.long", str(hours), folder],
            PYTHONPATH=":".join([str(HERE), *sys.path]), NUMBA_NUM_THREADS="1", OMP_NUM_THREADS="1",
        )  # fmt: skip
    said = json.loads(done.output.strip().splitlines()[-1])
    return Long(
        hours,
        said["peaks"],
        said["wall_s"],
        said["cpu_s"],
        done.peak_bytes / 2**30,
        (said["median_um"], said["p95_um"]),
    )


def report(rows: list[Row], fields: list[Field], hours: list[Long]) -> list[str]:
    def pair(values: tuple[float, float]) -> str:
        return "–" if np.isnan(values[0]) else f"{values[0]:.2f} / {values[1]:.2f}"

    accuracy = table(
        ["peaks", "seed", "number", "ours: median / 95 %", "`dredge_ap`", "known", "still: largest where known"],
        [
            (row.kind, row.seed, row.n_peaks, pair(row.ours), pair(row.theirs), f"{100 * row.known:.0f} %",
             "" if np.isnan(row.moved) else f"{row.moved:.2f}")
            for row in rows
        ],
    )  # fmt: skip
    field = table(
        ["sources", "seed", "tissue", "ours", "`dredge_online_lfp`"],
        [(row.n_sources, row.seed, *map(pair, (row.moved, row.ours, row.theirs))) for row in fields],
    )
    cost = table(
        ["hours", "peaks", "wall, s", "CPU, s", "peak memory, GiB", "error: median / 95 %, µm"],
        [
            (
                f"{row.hours:g}",
                row.n_peaks,
                f"{row.wall_s:.0f}",
                f"{row.cpu_s:.0f}",
                f"{row.peak_gib:.2f}",
                pair(row.error),
            )
            for row in hours
        ],
    )
    return [
        "# Motion from peaks",
        "Errors in µm, less a constant at each depth. `simulated` are recordings of the hard setting (128 channels, "
        "120 s, 30 µm), their peaks detected and located by grid convolution; the others are generated peaks.",
        accuracy,
        "## From the local field potential",
        "Twenty seconds of a simulated field over 1.9 mm, in bins of 4 ms, that moves with heartbeat and breathing: "
        "distance of the tissue from its median place, and errors in µm, median / 95 %.",
        field,
        "## Hours of peaks, 384 channels, bins of one second",
        cost,
    ]


def renewed(text: str, parts: Sequence[str]) -> str:
    """A written table with some rows replaced: those of the same kind and seed. Cells with a dash do not count."""

    def cells(line: str) -> list[str]:
        return line.split("|")

    def replaced(line: str) -> str:
        row = next((row for row in new if line.startswith("| ") and cells(row)[1:3] == cells(line)[1:3]), line)
        pairs = zip(cells(line), cells(row), strict=True)
        return "|".join(before if now.strip() == "–" else now for before, now in pairs)

    new = [line for part in parts for line in part.splitlines() if line.startswith("| ")]
    return "\n".join(replaced(line) for line in text.splitlines())


def peer_for(kind: str, seed: int, peers: str | None, peer_seeds: Sequence[int]) -> str | None:
    """The Python of the peer if it is to run on these peaks."""
    wanted = kind not in TOO_SLOW_FOR_PEER and (seed in peer_seeds or kind.startswith("simulated"))
    return peers if wanted else None


def some_again(kinds: Sequence[str], *, peers: str | None, peer_seeds: Sequence[int]) -> str:
    """The written table, with the rows of these kinds made again."""
    pairs = [(kind, seed) for kind in kinds for seed in SEEDS]
    rows = [row_of(*pair, generated(*pair), peer_for(*pair, peers, peer_seeds)) for pair in pairs]
    parts = report(rows, [], [])
    body, _ = (RESULTS / "motion.md").read_text(encoding="utf-8").rstrip().rsplit("\n\n", 1)  # less the machine
    return renewed(body, parts)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    default = HERE.parent / ".venv-peers" / "bin" / "python"
    parser.add_argument("--peers", default=str(default) if default.is_file() else None)
    parser.add_argument("--peer-seeds", nargs="*", type=int, default=list(SEEDS), help="seeds on which the peer runs")
    parser.add_argument("--keep", type=Path, help="folder in which finished rows stay")
    parser.add_argument("--kinds", nargs="+", default=[], choices=list(KINDS), help="make only these rows again")
    arguments = parser.parse_args()
    if arguments.kinds:
        again = some_again(arguments.kinds, peers=arguments.peers, peer_seeds=arguments.peer_seeds)
        write_result("motion", again)
        return
    given = {"peers": arguments.peers, "peer_seeds": arguments.peer_seeds, "keep": arguments.keep}
    parts = report(*run(quick=arguments.quick, **given))
    if arguments.quick:
        print("\n\n".join(parts))
    else:
        write_result("motion", *parts)


if __name__ == "__main__":
    main()
