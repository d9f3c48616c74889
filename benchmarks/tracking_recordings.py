"""Recordings of the same neurons in several sessions: simulated with drift, sorted, and tracked.

    python benchmarks/tracking_recordings.py [--quick] [--keep FOLDER] [--only KIND:SEED]

The tissue drifts within every session and is displaced between sessions, and a tenth of the neurons is silent in each.
A unit is the neuron with which it agrees in at least half of their spikes. Pairs of units of different sessions that
are both some neuron are counted: precision is the share of pairs in one track that are one neuron, recall the share of
pairs of one neuron that are in one track. ``with others`` also counts, as errors, pairs with a unit that is no neuron.
Rules were chosen on other seeds, but for one: that parts of one neuron are told from two by smaller differences was
tried because of a wrong track of hard seed 72. Hard seed 62 is the one of which an earlier version followed the fewest
(0.841).
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from harness import table, write_result
from tracking import of_units

#: Sets: name, keywords, seeds.
SETS: tuple[tuple[str, dict[str, Any], tuple[int, ...]], ...] = (
    ("easy, drift 20 µm", {"preset": "easy", "drift": "nonrigid", "drift_um": 20.0}, (60, 61)),
    ("hard, drift 20 µm", {"preset": "hard", "drift": "nonrigid", "drift_um": 20.0}, (62, 70, 71, 72, 75, 76)),
)
SIZE = {"n_sessions": 4, "n_channels": 64, "duration_s": 90.0}


class Outcome(NamedTuple):
    precision: float
    recall: float
    precision_of_all: float
    n_neurons: float
    n_units: float
    motion_um: float


def sorted_sessions(made: Any, folder: Path) -> list[Any]:
    """The sorting of each session, from the folder if it is there already."""
    import xephys

    for k, (recording, _) in enumerate(made):
        if not (folder / f"{k}.zarr").exists():
            xephys.save_sorting(xephys.sort(recording), folder / f"{k}.zarr")
    return [xephys.open_sorting(folder / f"{k}.zarr") for k in range(len(made))]


def outcome(made: Any, folder: Path) -> Outcome:
    import xephys

    sortings = sorted_sessions(made, folder)
    tracks = xephys.track_units(sortings)
    units = tracks["units"].to_dataset()
    session, row, track = (units[name].values for name in ("session", "row", "track"))
    neuron = np.full(len(session), -1)
    for k, (sorting, (_, truth)) in enumerate(zip(sortings, made, strict=True)):
        of_row = true_unit(sorting, truth)
        neuron[session == k] = of_row[row[session == k]]
    known = neuron >= 0
    precision, recall = of_units(neuron[known], session[known], track[known])
    # A unit that is no neuron counts as a neuron of its own.
    every = np.where(known, neuron, neuron.max() + 1 + np.arange(len(neuron)))
    displacement = tracks["motion"]["displacement_um"].values[0].mean(axis=1)
    true = np.array([truth.config.displacement_um for _, truth in made])
    error = (displacement - displacement.mean()) - (true - true.mean())
    return Outcome(
        precision, recall, of_units(every, session, track)[0], known.sum() / len(made), len(session) / len(made),
        float(np.sqrt((error**2).mean())),
    )  # fmt: skip


def true_unit(sorting: Any, truth: Any) -> Any:
    """The neuron of each sorted unit; -1 if it agrees with none."""
    import xephys

    agreement = xephys.compare(sorting, truth).agreement.values
    return np.where(agreement.max(axis=0) >= 0.5, agreement.argmax(axis=0), -1)


def main() -> None:
    from xephys.testing import simulate_session_recordings

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--keep", type=Path, help="folder in which sortings stay and are found again")
    parser.add_argument("--only", help="kind:seed, such as easy:30; printed and not written")
    given = parser.parse_args()
    sets = [("easy", {"preset": "easy"}, (1,))] if given.quick else SETS
    size = {"n_sessions": 2, "n_channels": 16, "duration_s": 10.0} if given.quick else SIZE
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, keywords, seed in [(name, keywords, seed) for name, keywords, seeds in sets for seed in seeds]:
            key = f"{keywords['preset']}:{seed}"
            if given.only not in (None, key):
                continue
            folder = (given.keep or Path(scratch)) / key.replace(":", "-")
            folder.mkdir(parents=True, exist_ok=True)
            found = outcome(simulate_session_recordings(seed=seed, **size, **keywords), folder)
            rows.append(
                [name, seed, f"{found.precision:.3f}", f"{found.recall:.3f}", f"{found.precision_of_all:.3f}",
                 f"{found.n_neurons:.1f}", f"{found.n_units:.1f}", f"{found.motion_um:.1f}"]
            )  # fmt: skip
    header = ["set", "seed", "precision", "recall", "with others", "neurons a session", "units a session", "motion µm"]
    about = (
        f"{SIZE['n_sessions']} sessions of {SIZE['duration_s']:g} s on {SIZE['n_channels']} channels, sorted by the "
        "default preset."
    )
    parts = [
        "# Tracking of sorted recordings",
        " ".join((__doc__ or "").split("\n\n")[-1].split()),
        about,
        table(header, rows),
    ]
    if given.quick or given.only:
        print("\n\n".join(parts))
    else:
        write_result("tracking_recordings", *parts)


if __name__ == "__main__":
    main()
