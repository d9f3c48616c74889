"""A batch of four wells with three files each, one silent, one truncated, one saturated; killed and resumed.

``python benchmarks/batch.py FOLDER`` simulates the files, sorts them once without and once with a SIGKILL after the
first recording, and prints the table of results, whether both give the same spikes, and what a changed limit and a
changed threshold repeat.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from probeinterface import ProbeGroup
from probeinterface.io import write_probeinterface

import xephys
from xephys.io.bridge.spikeinterface import to_spikeinterface
from xephys.pipeline import BatchResults, sort_recording
from xephys.testing import simulate_recording

SILENT, TRUNCATED, SATURATED = (1, 1), (2, 2), (3, 0)
N_WELLS, N_FILES = 4, 3


def write_wells(folder: Path, *, n_channels: int, duration_s: float, n_units: int) -> list[Path]:
    """Raw files of four wells: in each, one recording in three files, of which three are spoiled."""
    rng = np.random.default_rng(0)
    for well in range(N_WELLS):
        recording, _ = simulate_recording(
            duration_s=N_FILES * duration_s, n_channels=n_channels, n_units=n_units, seed=well
        )
        if not well:
            group = ProbeGroup()
            group.add_probe(to_spikeinterface(recording).get_probe())
            folder.mkdir(parents=True, exist_ok=True)
            write_probeinterface(folder / "probe.json", group)
        rate, n = float(recording.attrs["sampling_frequency"]), recording.sizes["time"] // N_FILES
        described = {
            "sampling_frequency": rate, "n_channels": n_channels, "dtype": "int16", "offset_to_uv": 0.0,
            "gain_to_uv": float(recording.coords["gain_to_uv"].values[0]), "probe": "../probe.json",
        }  # fmt: skip
        for file in range(N_FILES):
            traces = recording.isel(time=slice(file * n, (file + 1) * n)).values
            if (well, file) == SILENT:
                traces = rng.normal(0, traces[: int(rate)].std() / 3, traces.shape).round().astype("<i2")
            if (well, file) == SATURATED:
                traces = np.where(rng.random(traces.shape) < 0.5, -32_000, 32_000).astype("<i2")
            path = folder / f"well{well}" / f"file{file}.bin"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(traces.tobytes()[: -7 if (well, file) == TRUNCATED else None])
            path.with_suffix(".json").write_text(json.dumps(described), encoding="utf-8")
    return [folder / f"well{well}" for well in range(N_WELLS)]


def sort(wells: list[Path], place: Path, **changes: object) -> BatchResults:
    """The batch, with results and work below a folder."""
    return sort_recording(
        wells,
        results_folders=[place / "results" / well.name for well in wells],
        intermediate_folders=[place / "work" / well.name for well in wells],
        preflight=False,
        **changes,  # type: ignore[arg-type]
    )


def same_spikes(one: BatchResults, other: BatchResults) -> bool:
    """Whether two batches have the same failures and the same spikes of every unit."""
    for a, b in zip(one, other, strict=True):
        if (a.failure is None) != (b.failure is None):
            return False
        if a.failure is None:
            pairs = zip(a.spike_data.samples, b.spike_data.samples, strict=True)
            if not all(np.array_equal(x, y) for x, y in pairs):
                return False
    return True


def killed_and_resumed(wells: list[Path], place: Path) -> BatchResults:
    """Start the batch in a process of its own, kill it as soon as one recording has its results, and finish it here."""
    code = (
        "import sys; from pathlib import Path; from benchmarks.batch import sort; "
        "sort([Path(p) for p in sys.argv[2:]], Path(sys.argv[1]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(place), *map(str, wells)], cwd=Path(__file__).parents[1], env=os.environ
    )
    while process.poll() is None and not any(place.glob("results/*/*/recording_report.json")):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    print("killed after its first recording, exit status", process.wait())
    return sort(wells, place)


def main() -> None:
    """Run the batch three times and print what it shows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--channels", type=int, default=32)
    parser.add_argument("--units", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    wells = write_wells(
        options.folder / "data", n_channels=options.channels, duration_s=options.seconds, n_units=options.units
    )
    begin = time.perf_counter()
    whole = sort(wells, options.folder / "whole")
    taken = time.perf_counter() - begin
    print(whole.table().drop(columns="error_message").to_string(), f"\n{taken:.1f} s")
    for result in whole.failures:
        print(result.folder.parent.name, result.name, result.failure)
    resumed = killed_and_resumed(wells, options.folder / "killed")
    print("kept after the kill:", [dict(result.stages).get("sorting") for result in resumed])
    print("killed and resumed gives the same spikes:", same_spikes(whole, resumed))
    for name, change in (
        ("a changed limit", {"snr_min": 6.0}),
        ("a changed threshold", {"sorter_params": {"detect_threshold": 6.0}}),
    ):
        again = sort(wells, options.folder / "whole", **change)
        repeated = [stage for stage, how in again[0].stages.items() if how == "computed"]
        print(f"{name} repeats: {', '.join(repeated)}")
    print("version", xephys.__version__)


if __name__ == "__main__":
    main()
