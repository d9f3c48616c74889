"""Sort simulated recordings, easy and hard ones, and draw the figures of ``docs/how_good_is_it.md``.

python docs/figures/simulated_recordings.py sort      # minutes: writes simulated.json
python docs/figures/simulated_recordings.py draw      # seconds: figures and the tables, from simulated.json
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import xephys
from xephys.testing import simulate_recording

HERE = Path(__file__).parent
RESULTS = HERE / "simulated.json"

#: Name, seeds and parameters of each simulation. Seconds and channels are what a laptop does in a minute.
SETTINGS: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "easy": ((0, 1, 2), {"preset": "easy", "n_channels": 32, "duration_s": 60.0}),
    "easy, small units": (
        (0,),
        {"preset": "easy", "n_channels": 128, "n_units": 40, "duration_s": 60.0, "amplitude_range_uv": (30.0, 150.0)},
    ),
    "hard": ((0, 1), {"preset": "hard", "n_channels": 64, "duration_s": 120.0}),
    "easy + drift": (
        (0, 1),
        {"preset": "easy", "n_channels": 64, "duration_s": 120.0, "drift": "slow", "drift_um": 30.0},
    ),
    "hard + drift": (
        (0,),
        {"preset": "hard", "n_channels": 64, "duration_s": 120.0, "drift": "nonrigid", "drift_um": 30.0},
    ),
}
SNR_EDGES = (0.0, 3.0, 5.0, 8.0, 12.0, np.inf)


def sort_one(parameters: dict[str, Any], seed: int) -> dict[str, Any]:
    """One simulation, stored as a file first as a real recording would be, sorted and compared with its truth."""
    with tempfile.TemporaryDirectory() as folder:
        simulated, truth = simulate_recording(seed=seed, **parameters)
        xephys.save_recording(simulated, Path(folder) / "recording", format="binary")
        recording = xephys.open_recording(Path(folder) / "recording")
        begin = time.perf_counter()
        sorting = xephys.sort(recording)
        seconds = time.perf_counter() - begin
    comparison = xephys.compare(sorting, truth)
    units = [
        {**{k: info[k] for k in ("snr", "bursting", "partial", "positive", "kind", "overlap", "spikes")}, **scores}
        for info, scores in zip(truth.units_info(), _scores(comparison), strict=True)
    ]
    tested = [
        {"kind": str(kind), "num_spikes": int(n), "label": str(label), "snr": float(snr)}
        for kind, n, label, snr in zip(
            comparison.tested_units["kind"].values,
            comparison.tested_units["num_spikes"].values,
            sorting["units"]["label"].values,
            sorting["units"]["snr"].values,
            strict=True,
        )
    ]
    return {"seed": seed, "seconds": seconds, "units": units, "tested": tested, "summary": comparison.summary}


def _scores(comparison: Any) -> list[dict[str, float]]:
    columns = {name: comparison.units[name].values for name in ("accuracy", "recall", "precision")}
    return [{name: float(values[k]) for name, values in columns.items()} for k in range(len(columns["accuracy"]))]


def sort_all(names: list[str]) -> None:
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in names or SETTINGS:
        seeds, parameters = SETTINGS[name]
        runs = [sort_one(parameters, seed) for seed in seeds]
        results[name] = {"parameters": parameters, "runs": runs}
        for run in runs:
            summary = {key: round(value, 3) for key, value in run["summary"].items()}
            sys.stdout.write(f"{name}, seed {run['seed']}: {run['seconds']:.0f} s, {summary}\n")
        RESULTS.write_text(json.dumps(results, indent=None, default=float))


if __name__ == "__main__":
    if sys.argv[1:2] == ["sort"]:
        sort_all(sys.argv[2:])
    else:
        from simulated_figures import draw_all

        draw_all(json.loads(RESULTS.read_text()), SNR_EDGES, HERE)
