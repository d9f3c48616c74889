"""Motion of a long recording with 384 channels and 500 peaks a second, from records on disk; prints seconds and errors.

python long.py HOURS FOLDER
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

HEIGHT_UM, RATE, PEAKS_PER_S, N_UNITS = 3840.0, 1000.0, 500.0, 150


def records_on_disk(duration_s: int, folder: Path, rng: np.random.Generator) -> tuple[Any, Any]:
    """Write one file of records per minute; returns the displacement as a function."""
    from xephys.graph.checkpoint import CheckpointedEvents

    from .peaks import RECORD

    grid = np.arange(duration_s + 1)
    walks = np.cumsum(rng.normal(0, 0.3, (2, duration_s + 1)), axis=1)
    walks -= walks.mean(axis=1, keepdims=True)

    def course(t: Any, z: Any) -> Any:
        return (
            np.interp(t, grid, walks[0]) * (1 - 0.5 * z / HEIGHT_UM)
            + 0.3 * np.interp(t, grid, walks[1]) * z / HEIGHT_UM
        )

    home, size = rng.uniform(0, HEIGHT_UM, N_UNITS), rng.lognormal(np.log(70), 0.5, N_UNITS)
    share = rng.lognormal(0, 0.8, N_UNITS)
    paths, counts = [], []
    for start in range(0, duration_s, 60):
        stop = min(start + 60, duration_s)
        n = rng.poisson(PEAKS_PER_S * (stop - start))
        seconds, unit = np.sort(rng.uniform(start, stop, n)), rng.choice(N_UNITS, n, p=share / share.sum())
        records = np.zeros(n, RECORD)
        records["sample_index"] = seconds * RATE
        records["amplitude"] = -size[unit] * rng.normal(1, 0.1, n)
        records["y"] = home[unit] + course(seconds, home[unit]) + rng.normal(0, 1, n) * (3 + 300 / size[unit])
        records["channel_index"] = 2 * np.clip(np.round(records["y"] / 20), 0, 192)
        paths.append(folder / f"{start}.npy")
        np.save(paths[-1], records)
        counts.append(n)
    events = CheckpointedEvents(folder, tuple(paths), np.array(counts), RECORD, RATE, 0, f"{duration_s}")
    return events, course


def main(hours: str, folder: str) -> None:
    import xephys

    duration_s = int(float(hours) * 3600)
    events, course = records_on_disk(duration_s, Path(folder), np.random.default_rng(0))
    recording = xephys.make_recording(
        np.broadcast_to(np.int16(0), (int(duration_s * RATE), 386)),
        sampling_frequency=RATE,
        coordinates={"x": np.tile([0.0, 32.0], 193), "y": np.repeat(np.arange(193) * 20.0, 2)},
    )
    begin, cpu = time.perf_counter(), time.process_time()
    motion = xephys.estimate_motion(recording, events)
    taken = {"wall_s": time.perf_counter() - begin, "cpu_s": time.process_time() - cpu}
    seconds = np.linspace(1, duration_s - 1, 2000)
    times, depths = np.meshgrid(seconds, np.linspace(0, HEIGHT_UM, 9), indexing="ij")
    truth = course(times, depths)
    error = xephys.displacement_at(motion, time_s=times, depth_um=depths + truth) - truth
    error = np.abs(error - np.median(error, axis=0))
    print(
        json.dumps({**taken, "median_um": np.median(error), "p95_um": np.quantile(error, 0.95), "peaks": events.count})
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
