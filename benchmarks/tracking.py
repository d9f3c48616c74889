"""Neurons followed over sessions, beside pyDANT 1.1.4, UnitMatchPy 3.6.1 and nearest-location matching, and the cost.

    python benchmarks/tracking.py [--dant PYTHON] [--unitmatch PYTHON] [--quick] [--parts accuracy cost]

``--dant`` is the Python of an environment with ``pip install pyDANT==1.1.4``, ``--unitmatch`` that of one with
``pip install UnitMatchPy==3.6.1 "numpy<2"``; its tracks are those of its intermediate strictness. All sets are
simulated with seeds that were not used for tuning. Recall counts pairs of units of different sessions that are one
neuron; a motion error is the root mean square over sessions and depths after the mean is removed.
Rows of the peers are in ``tracking_peers.md`` if their environments are given.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from harness import in_turn, median_ratio, run_process, table, write_result
from tracking_unitmatch import by_unitmatch

#: The program of the peer's process: argument 1 is the folder with its input, into which its output goes as well.
PEER = """
import sys, warnings
warnings.simplefilter("ignore")
import matplotlib
matplotlib.use("Agg")
from pyDANT import runDANT
folder = sys.argv[1]
runDANT({
    "path_to_data": folder, "output_folder": folder + "/out", "n_jobs": 1, "centering_waveforms": False,
    "spikeLocation": {"location_algorithm": "monopolar_triangulation", "n_nearest_channels": 20},
    "waveformCorrection": {"n_nearest_channels": 38, "linear_correction": LINEAR, "n_templates": 2,
                           "path_to_motion": ""},
    "autoCorr": {"window": 300, "binwidth": 1, "gaussian_sigma": 5},
    "ISI": {"window": 100, "binwidth": 1, "gaussian_sigma": 1},
    "motionEstimation": {"features": [["Waveform", "AutoCorr"]], "max_iter": 15, "repeat_last_feature_set": True,
                         "stop_early": True, "max_distance": 100},
    "clustering": {"max_distance": 100, "features": ["Waveform", "AutoCorr"], "n_iter": 10, "weight_tol": 1e-8},
    "autoCuration": {"auto_split": True},
})
"""
#: Sets: name, keywords, seeds.
SETS: tuple[tuple[str, dict[str, Any], tuple[int, ...]], ...] = (
    ("all neurons present", {"dropout": 0.0, "gain_sd": 0.0}, tuple(range(9100, 9106))),
    ("20 % missing", {"dropout": 0.2, "gain_sd": 0.0}, tuple(range(9100, 9106))),
    ("gain, noise, turnover", {"noise_uv": 2.0, "turnover": 0.1, "gain_sd": 0.15}, tuple(range(9110, 9120))),
    ("look-alikes", {"lookalikes": 0.1}, tuple(range(9120, 9130))),
    ("over-splits", {"oversplits": 0.05}, tuple(range(9130, 9140))),
    ("over-splits, a fifth", {"oversplits": 0.2}, tuple(range(9300, 9310))),
    (
        "all of it", {"lookalikes": 0.05, "turnover": 0.05, "oversplits": 0.05, "noise_uv": 2.0},
        tuple(range(9140, 9150)),
    ),
    ("dense", {"n_neurons": 120, "n_channels": 192, "lookalikes": 0.05}, tuple(range(9150, 9160))),
    ("rigid ± 80 µm", {"shift_max_um": 80.0}, tuple(range(9160, 9166))),
    ("tilt ± 60 µm", {"tilt_max_um": 60.0}, tuple(range(9170, 9176))),
    ("across the shank ± 10 µm", {"shift_x_max_um": 10.0}, tuple(range(9220, 9226))),
    ("two shanks", {"two_shanks": True}, tuple(range(9210, 9216))),
    ("one channel map", {"n_neurons": 60, "n_sessions": 3}, tuple(range(9180, 9186))),
    ("other channels, 3/4 shared", {"rows_moved": 6, "n_neurons": 60, "n_sessions": 3}, tuple(range(9180, 9186))),
    ("other channels, half shared", {"rows_moved": 12, "n_neurons": 60, "n_sessions": 3}, tuple(range(9180, 9186))),
    (
        "two animals", {"two_animals": True, "n_sessions": 2, "n_neurons": 80, "n_channels": 192},
        tuple(range(9310, 9320)),
    ),
    ("disjoint", {"disjoint": True}, tuple(range(9190, 9200))),
    ("disjoint, dense", {"disjoint": True, "n_neurons": 150, "n_channels": 384}, tuple(range(9200, 9204))),
)  # fmt: skip
#: Units per session, number of sessions, and channels of the large runs.
LARGE = ((240, 18, 384), (700, 18, 384), (650, 100, 768))
COST = (
    "`python benchmarks/tracking.py --parts cost`: whole processes. Sessions are made one after the other while they "
    "are read, which is measured separately as well."
)
#: Rounds in which adding a session is timed beside tracking all of them.
N_ROUNDS = 7
#: Seeds of each set on which the peer runs too, up to a minute each.
N_PEER_SEEDS = 3
BINS = np.linspace(0.0, 1.0, 11)


#: Distance of the second shank of a set with two.
SHANK_UM = 250.0


class Outcome(NamedTuple):
    precision: float
    recall: float
    motion_um: float


class Calibration(NamedTuple):
    """Probabilities and whether they were right, and the share of the units with a partner that are probable."""

    probability: Any
    right: Any
    matched: float


def of_units(neuron: Any, session: Any, track: Any) -> tuple[float, float]:
    """Precision and recall of the pairs of different sessions; a track below 0 means that a unit has none."""
    i, j = np.triu_indices(len(neuron), 1)
    apart = session[i] != session[j]
    same = apart & (neuron[i] == neuron[j])
    joined = apart & (track[i] == track[j]) & (track[i] >= 0)
    hits = (same & joined).sum()
    return float(hits / joined.sum()) if joined.any() else 1.0, float(hits / same.sum()) if same.any() else 1.0


def motion_error(moved: Any, knots: Any, truth: Any, depth: Any) -> float:
    """RMS of displacements ``(shank, session, knot)`` over the depths of the probe."""
    at = np.linspace(depth.min() + 50, depth.max() - 50, 9)
    ours = np.array([[np.interp(at, knots, row) for row in shank] for shank in moved])
    shift, tilt = (np.atleast_2d(part)[:, :, None] for part in (truth.shift_um, truth.tilt_um))
    error = ours - shift - tilt * (at - (depth.min() + depth.max()) / 2) / np.ptp(depth)
    return float(np.sqrt(((error - error.mean(axis=1, keepdims=True)) ** 2).mean()))


def ours(sessions: Any, truth: Any) -> tuple[Outcome, Calibration]:
    import xephys

    tracks = xephys.track_units(sessions)
    units, pairs = tracks["units"].to_dataset(), tracks["pairs"].to_dataset()
    session, row = units["session"].values, units["row"].values
    neuron = np.array([truth.neuron[s][r] for s, r in zip(session, row, strict=True)])
    precision, recall = of_units(neuron, session, units["track"].values)
    motion = tracks["motion"].to_dataset()
    depth = np.concatenate([s["y"].values for s in sessions])
    error = motion_error(motion["displacement_um"].values, motion["knot"].values, truth, depth)
    first, second, chance = (pairs[name].values for name in ("first", "second", "probability"))
    partners = np.unique(np.concatenate([first[chance >= 0.5], second[chance >= 0.5]]))
    return Outcome(precision, recall, error), Calibration(
        chance, neuron[first] == neuron[second], len(partners) / len(neuron)
    )


def made_sessions(
    *, seed: int, two_shanks: bool = False, two_animals: bool = False, **keywords: Any
) -> tuple[Any, Any]:
    """Simulated sessions and their truth; of two shanks that move on their own, the truth has one displacement each.

    Sessions of two animals follow one another and share no neuron. How far one is from the other is then not defined.
    """
    from xephys.testing import simulate_sessions

    first, truth = simulate_sessions(seed=seed, **keywords)
    if not two_shanks and not two_animals:
        return first, truth
    second, other = simulate_sessions(seed=seed + 1000, **keywords)
    if two_animals:
        unknown = np.full(len(first) + len(second), np.nan)
        neuron = [*truth.neuron, *(1000 + one for one in other.neuron)]
        return [*first, *second], truth._replace(neuron=neuron, shift_um=unknown, tilt_um=unknown)
    both = [_side_by_side(a, b) for a, b in zip(first, second, strict=True)]
    neuron = [np.concatenate([a, 1000 + b]) for a, b in zip(truth.neuron, other.neuron, strict=True)]
    return both, truth._replace(
        neuron=neuron,
        shift_um=np.stack([truth.shift_um, other.shift_um]),
        tilt_um=np.stack([truth.tilt_um, other.tilt_um]),
    )


def _side_by_side(first: Any, second: Any) -> Any:
    """One session of two shanks from two sessions of one."""
    import xarray as xr

    n, (n_samples, n_channels) = first.sizes["unit"], (first.sizes[name] for name in ("sample", "channel"))
    templates = np.zeros((n + second.sizes["unit"], n_samples, 2 * n_channels), np.float32)
    templates[:n, :, :n_channels], templates[n:, :, n_channels:] = first["templates"], second["templates"]
    rhythms = np.concatenate([first["autocorrelogram"], second["autocorrelogram"]])
    trains = np.concatenate([first["spike_time"], second["spike_time"]])
    return xr.Dataset(
        {
            "templates": (("unit", "sample", "channel"), templates),
            "autocorrelogram": (("unit", "lag"), rhythms),
            "spike_time": (("unit", "spike"), trains),
        },
        coords={
            "x": ("channel", np.concatenate([first["x"], second["x"] + SHANK_UM])),
            "y": ("channel", np.concatenate([first["y"], second["y"]])),
            "shank": ("channel", np.repeat([0, 1], n_channels)),
        },
        attrs=first.attrs,
    )


def nearest(sessions: Any, truth: Any) -> Outcome:
    """Match units of consecutive sessions by the least total distance, at most 30 µm each."""
    from scipy.optimize import linear_sum_assignment

    import xephys

    places = [xephys.session_units(session)["place"].values[:, :2] for session in sessions]
    starts = np.concatenate([[0], np.cumsum([len(place) for place in places])])
    track = np.arange(starts[-1])
    for s in range(len(sessions) - 1):
        apart = np.linalg.norm(places[s][:, None] - places[s + 1][None], axis=2)
        for i, j in zip(*linear_sum_assignment(apart), strict=True):
            if apart[i, j] < 30:
                track[starts[s + 1] + j] = track[starts[s] + i]
    session = np.repeat(np.arange(len(sessions)), np.diff(starts))
    depth = np.concatenate([s["y"].values for s in sessions])
    still = motion_error(np.zeros((1, len(sessions), 1)), np.zeros(1), truth, depth)
    return Outcome(*of_units(np.concatenate(truth.neuron), session, track), still)


def write_folder(sessions: Any, folder: Path) -> None:
    """The peer's input: templates, sessions, contacts and spike times of sessions with one channel map."""
    (folder / "spike_times").mkdir()
    np.save(folder / "waveform_all.npy", np.concatenate([s["templates"].values for s in sessions]).transpose(0, 2, 1))
    session = np.repeat(np.arange(len(sessions)), [s.sizes["unit"] for s in sessions])
    np.save(folder / "session_index.npy", session + 1)
    np.save(folder / "channel_locations.npy", np.column_stack([sessions[0]["x"], sessions[0]["y"]]))
    for k, train in enumerate(np.concatenate([s["spike_time"].values for s in sessions])):
        np.save(folder / "spike_times" / f"Unit{k}.npy", train)


def dant(sessions: Any, truth: Any, python: str, *, linear: bool) -> Outcome | None:
    """The peer on the same templates and spikes; None if it ended with an error."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_folder(sessions, folder)
        try:
            run_process([python, "-c", PEER.replace("LINEAR", str(linear)), name], OMP_NUM_THREADS="1")
        except RuntimeError:
            return None
        out = folder / "out"
        track, moved = np.load(out / "IdxCluster.npy").ravel(), np.load(out / "motion_constant.npy").ravel()
        tilt = np.load(out / "motion_linear.npy").ravel() * float(np.load(out / "motion_linear_scale.npy"))
        session = np.repeat(np.arange(len(sessions)), [s.sizes["unit"] for s in sessions])
        depth = np.concatenate([s["y"].values for s in sessions])
        knots = np.array([depth.min(), depth.max()])
        error = motion_error((moved[:, None] + tilt[:, None] * knots[None])[None], knots, truth, depth)
        return Outcome(*of_units(np.concatenate(truth.neuron), session, track), error)


def unitmatch(sessions: Any, truth: Any, python: str, *, noise_uv: float) -> Outcome | None:
    """The other peer on the same templates; it has no displacement that could be compared."""
    track = by_unitmatch(sessions, python, noise_uv=noise_uv)
    session = np.repeat(np.arange(len(sessions)), [s.sizes["unit"] for s in sessions])
    return None if track is None else Outcome(*of_units(np.concatenate(truth.neuron), session, track), np.nan)


def accuracy(sets: Any, python: str | None, other: str | None = None) -> tuple[str, str]:
    rows, chance, right = [], [], []
    for name, keywords, seeds in sets:
        outcomes: dict[str, list[Outcome | None]] = {"xephys": [], "nearest": [], "pyDANT": [], "UnitMatchPy": []}
        matched = []
        # The peers run where all sessions have one channel map of one shank and share neurons.
        beside = not {"rows_moved", "disjoint", "two_shanks", "two_animals"} & set(keywords)
        for k, seed in enumerate(seeds):
            sessions, truth = made_sessions(seed=seed, **keywords)
            own, calibration = ours(sessions, truth)
            outcomes["xephys"].append(own)
            matched.append(calibration.matched)
            chance.append(calibration.probability)
            right.append(calibration.right)
            outcomes["nearest"].append(nearest(sessions, truth))
            if beside and k < N_PEER_SEEDS and python:
                outcomes["pyDANT"].append(dant(sessions, truth, python, linear="tilt_max_um" in keywords))
            if beside and k < N_PEER_SEEDS and other:
                noise_uv = keywords.get("noise_uv", 1.0)
                outcomes["UnitMatchPy"].append(unitmatch(sessions, truth, other, noise_uv=noise_uv))
        for who, found in outcomes.items():
            if found:
                disjoint = bool(keywords.get("disjoint"))
                share = f"{np.mean(matched):.2%} ({np.max(matched):.2%})" if who == "xephys" and disjoint else ""
                rows.append([name, len(found), who, *_summary(found, disjoint=disjoint), share])
    header = [
        "set",
        "seeds",
        "",
        "precision (least)",
        "recall (least)",
        "mean F1",
        "motion µm (largest)",
        "failed",
        "matched at P ≥ 0.5 (most)",
    ]
    return table(header, rows), _calibration(np.concatenate(chance), np.concatenate(right))


def _summary(found: list[Outcome | None], *, disjoint: bool) -> list[str]:
    done = [outcome for outcome in found if outcome is not None]
    if not done or disjoint:
        return ["", "", "", "", str(len(found) - len(done))]
    precision, recall, error = (np.array(column) for column in zip(*done, strict=True))
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
    # A run that failed counts as having found nothing.
    mean = f1.sum() / len(found)
    return [
        f"{precision.mean():.3f} ({precision.min():.3f})", f"{recall.mean():.3f} ({recall.min():.3f})", f"{mean:.3f}",
        f"{error.mean():.2f} ({error.max():.2f})" if np.isfinite(error).all() else "", str(len(found) - len(done)),
    ]  # fmt: skip


def _calibration(chance: Any, right: Any) -> str:
    """Brier score, expected calibration error, and both for each bin of probability."""
    at = np.clip(np.digitize(chance, BINS) - 1, 0, len(BINS) - 2)
    rows, error = [], 0.0
    for k in range(len(BINS) - 1):
        here = at == k
        if here.any():
            error += abs(chance[here].mean() - right[here].mean()) * here.mean()
            rows.append(
                [
                    f"{BINS[k]:.1f}–{BINS[k + 1]:.1f}",
                    here.sum(),
                    f"{chance[here].mean():.3f}",
                    f"{right[here].mean():.3f}",
                ]
            )
    brier = ((chance - right) ** 2).mean()
    return f"Over all sets: Brier score {brier:.4f}, expected calibration error {error:.4f}.\n\n" + table(
        ["probability", "pairs", "said", "were the same"], rows
    )


def cost(sizes: Any) -> str:
    """Wall time, CPU time and peak memory of whole processes; making the sessions is measured separately."""
    rows = []
    for n_neurons, n_sessions, n_channels in sizes:
        build = (
            "from xephys.simulation.sessions import each_session\n"
            "import numpy as np\n"
            f"made = each_session(n_neurons={n_neurons}, n_sessions={n_sessions}, n_channels={n_channels}, "
            "probe='neuropixels-1', shift_max_um=20.0, seed=210)\n"
        )
        only = run_process([sys.executable, "-c", build + "print(sum(one.table.sizes['unit'] for one in made))\n"])
        track = "import xephys\nxephys.track_units(one.table for one in made)\n"
        done = run_process([sys.executable, "-c", build + track])
        rows.append(
            [only.output.strip(), n_sessions, f"{done.wall_s - only.wall_s:.1f}", f"{done.cpu_s - only.cpu_s:.1f}",
             f"{done.peak_bytes / 2**30:.2f}", f"{only.peak_bytes / 2**30:.2f}"]
        )  # fmt: skip
    return table(["units", "sessions", "s", "CPU s", "peak GiB", "of which the sessions"], rows)


def added(n_neurons: int, n_sessions: int) -> str:
    """Adding the last session beside tracking all of them, in turn: the ratio of each round, and their median."""
    import xephys
    from xephys.testing import simulate_sessions

    sessions, _ = simulate_sessions(n_neurons=n_neurons, n_sessions=n_sessions, n_channels=384, seed=211)
    before = xephys.track_units(sessions[:-1])
    calls = (lambda: xephys.track_units(sessions), lambda: xephys.add_session(before, sessions[-1]))
    whole, one = in_turn(calls, rounds=N_ROUNDS)
    ratios = [a / b for a, b in zip(one, whole, strict=True)]
    return (
        f"A session added to {n_sessions - 1} others of {n_neurons} neurons takes {median_ratio(one, whole):.3f} of a "
        f"run of all, {min(ratios):.3f} to {max(ratios):.3f} in {N_ROUNDS} rounds (1.5 / n is {1.5 / n_sessions:.3f})."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dant")
    parser.add_argument("--unitmatch")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--parts", nargs="+", choices=("accuracy", "cost"), default=["accuracy", "cost"])
    given = parser.parse_args()
    sets = [(name, keywords, seeds[:1] if given.quick else seeds) for name, keywords, seeds in SETS]
    beside = given.dant or given.unitmatch
    command = "python benchmarks/tracking.py" + (" --dant … --unitmatch …" if beside else "")
    about = f"`{command}`: " + " ".join((__doc__ or "").split("\n\n")[-1].split())
    results = {}
    if "accuracy" in given.parts:
        results["tracking_peers" if beside else "tracking"] = (
            "# Tracking, beside others" if beside else "# Tracking",
            about,
            *accuracy(sets[:2] if given.quick else sets, given.dant, given.unitmatch),
        )
    if "cost" in given.parts:
        large, of_added = (((20, 2, 96),), (20, 3)) if given.quick else (LARGE, (200, 10))
        results["tracking_cost"] = ("# Cost of tracking", COST, cost(large), added(*of_added))
    for name, parts in results.items():
        if given.quick:
            print("\n\n".join(parts))
        else:
            write_result(name, *parts)


if __name__ == "__main__":
    main()
