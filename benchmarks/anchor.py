"""The whole sort beside SpikeSift, the fastest known sorter, on the same file, in alternation.

    python benchmarks/anchor.py --peers .venv-peers/bin/python [--duration-s 60] [--rounds 3]

384 channels and 150 units; each sorter in a process of its own on two cores, imports and export included. SpikeSift
comes from the package index (``pip install spikesift``) in the peers' environment and runs with its defaults.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from harness import Process, recording_on_disk, run_process, table, write_result

#: The program of the peer's process: argument 1 is the folder of the recording, argument 2 the file for the spikes.
PEER = """
import sys
import numpy as np
import spikesift
from spikeinterface import load
recording = load(sys.argv[1])
(path,) = [str(path) for path in recording.get_binary_description()["file_paths"]]
given = spikesift.Recording(
    binary_file=path, data_type=recording.get_dtype(), probe_geometry=recording.get_channel_locations(),
    sampling_frequency=recording.sampling_frequency,
)
found = spikesift.perform_spike_sorting(given, verbose=False)
trains = {str(unit): np.asarray(found.spikes(unit)) for unit in found.cluster_ids()}
np.savez(sys.argv[2], **trains)
"""


def run(*, peers: str, duration_s: float, n_channels: int, n_units: int, rounds: int) -> tuple[str, ...]:
    """Run both sorters ``rounds`` times in alternation, after an untimed run of ours that compiles the kernels."""
    from xephys import compare, open_sorting
    from xephys.sorting import build_sorting
    from xephys.testing import simulate_recording

    with tempfile.TemporaryDirectory() as name:
        folder, times = Path(name), {"xephys": [], "SpikeSift": []}  # type: ignore[var-annotated]
        recording, _ = recording_on_disk(
            folder, duration_s=duration_s, n_channels=n_channels, n_units=n_units, seed=10, amplitude_range_uv=(30, 150)
        )
        _, truth = simulate_recording(
            duration_s=duration_s, n_channels=n_channels, n_units=n_units, seed=10, amplitude_range_uv=(30, 150)
        )
        ours = [sys.executable, "-m", "xephys", "sort", str(folder / "recording"), "--out", str(folder / "ours")]
        theirs = [peers, "-c", PEER, str(folder / "recording"), str(folder / "theirs.npz")]
        run_process(ours)
        for _ in range(rounds):
            shutil.rmtree(folder / "ours")  # or the sort would resume from the results of the earlier run
            times["xephys"].append(run_process(ours))
            times["SpikeSift"].append(run_process(theirs))
        found = {"xephys": open_sorting(folder / "ours" / "sorting.zarr")}
        with np.load(folder / "theirs.npz", allow_pickle=False) as trains:
            spikes = [(np.asarray(trains[unit]), k) for k, unit in enumerate(trains.files)]
        samples = np.concatenate([train for train, _ in spikes])
        units = np.concatenate([np.full(len(train), k) for train, k in spikes])
        inside = (samples >= 0) & (samples < recording.sizes["time"])
        found["SpikeSift"] = build_sorting(
            recording,
            spikes={"sample_index": samples[inside], "unit_index": units[inside]},
            units={"label": np.full(len(spikes), "unsorted")},
        )
        rows = [row(name, times[name], compare(found[name], truth)) for name in found]
    ratios = [a.wall_s / b.wall_s for a, b in zip(times["xephys"], times["SpikeSift"], strict=True)]
    return (
        "# The whole sort beside SpikeSift",
        f"{n_channels} channels × {duration_s:g} s, {n_units} units, two cores, {rounds} rounds in turn, medians; "
        "kernels are compiled before. Well detected: accuracy of at least 0.8.",
        table(("sorter", "wall, s", "CPU, s", "peak, GiB", "well detected", "mean accuracy"), rows),
        f"Wall time of xephys over that of SpikeSift, by rounds: {', '.join(f'{ratio:.2f}' for ratio in ratios)}.",
    )


def row(name: str, processes: list[Process], comparison: Any) -> tuple[str, ...]:
    """One line of the table: medians over the rounds."""
    summary = comparison.summary
    return (
        name,
        f"{statistics.median(p.wall_s for p in processes):.1f}",
        f"{statistics.median(p.cpu_s for p in processes):.1f}",
        f"{max(p.peak_bytes for p in processes) / 2**30:.2f}",
        f"{summary['num_well_detected']:.0f} of {summary['num_truth_units']:.0f}",
        f"{summary['accuracy']:.3f}",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", default=".venv-peers/bin/python", help="Python of the environment with spikesift")
    parser.add_argument("--duration-s", type=float, default=60.0)
    parser.add_argument("--n-channels", type=int, default=384)
    parser.add_argument("--n-units", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    parts = run(
        peers=given.peers,
        duration_s=given.duration_s,
        n_channels=given.n_channels,
        n_units=given.n_units,
        rounds=given.rounds,
    )
    write_result("anchor", *parts)


if __name__ == "__main__":
    main()
