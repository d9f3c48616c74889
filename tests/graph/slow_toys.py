"""Slow kernels for tests that interrupt a run; they leave a mark for each tile that they compute."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from xephys.graph.checkpoint import run_events
from xephys.graph.events import SpikeTable
from xephys.graph.plan import Stage
from xephys.graph.source import BinarySource

from . import toys


def slow_minima(
    traces: Any, *, before: int, after: int, start: int, threshold: float, marks: str, pause_s: float
) -> Any:
    Path(marks, f"{start}-{os.getpid()}-{time.monotonic_ns()}").touch()
    time.sleep(pause_s)
    return toys.minima(traces, before=before, after=after, start=start, threshold=threshold)


def slow_events(source: BinarySource, marks: Path, *, pause_s: float) -> SpikeTable:
    stage = Stage(
        slow_minima,
        dtype=toys.EVENT_DTYPE,
        parameters={"threshold": -100.0, "marks": str(marks), "pause_s": pause_s},
        before=3,
        after=3,
        emits="events",
    )
    return SpikeTable.of_plan(toys.plan_on(source, chunk_samples=1000).then(stage))


def marked_tiles(marks: Path) -> list[int]:
    return sorted(int(path.name.split("-")[0]) for path in marks.iterdir())


def reference(source: BinarySource) -> Any:
    padded = np.pad(source.read(0, source.n_samples), ((3, 3), (0, 0)), mode="edge")
    return toys.minima(padded, before=3, after=3, start=0, threshold=-100.0)


def run_until_killed() -> None:
    """The program of a process that kills itself after four chunks; arguments: path, content, marks, folder."""
    path, content, marks, folder = sys.argv[1:]
    recording = BinarySource(path, "<i2", toys.N_CHANNELS, 12_000, content=content)

    def kill_after_four(done: int, total: int) -> None:
        if done >= 4:
            os.kill(os.getpid(), signal.SIGKILL)

    run_events(slow_events(recording, Path(marks), pause_s=0.1), folder, progress=kill_after_four)
