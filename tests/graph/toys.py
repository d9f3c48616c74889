"""Small kernels and a small recording on which the graph is tested: 1 kHz, so a tile is 1000 samples.

Importable by name, because worker processes look kernels up there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np

from tests.support.staged import extend
from xephys.graph.build import to_dask
from xephys.graph.events import SpikeTable
from xephys.graph.plan import Plan, Stage
from xephys.graph.source import BinarySource, file_token

RATE = 1000.0
N_SAMPLES = 5_437
N_CHANNELS = 6
EVENT_DTYPE = np.dtype([("sample_index", "<i8"), ("channel_index", "<i8"), ("amplitude", "<f8")])
FEATURE_DTYPE = np.dtype([*EVENT_DTYPE.descr, ("wave", "<f4", (5,))])


def running_mean(traces: Any, *, before: int, after: int) -> Any:
    """Mean over before + 1 + after rows: needs its whole halo."""
    n = len(traces) - before - after
    total = np.zeros((n, traces.shape[1]), np.float32)
    for shift in range(before + after + 1):
        total += traces[shift : shift + n].astype(np.float32)
    return total / np.float32(before + after + 1)


def scale(traces: Any, *, before: int, after: int, gain: float) -> Any:
    return (traces[before : len(traces) - after] * np.float32(gain)).astype(np.float32)


def mix(traces: Any, *, before: int, after: int, matrix: Any) -> Any:
    """A matrix over channels, summed in a fixed order so that a row's bits do not depend on its block."""
    core = traces[before : len(traces) - after]
    out = np.zeros((len(core), len(matrix)), np.float32)
    for channel in range(core.shape[1]):
        out += core[:, channel, None] * matrix[:, channel].astype(np.float32)
    return out


def minima(traces: Any, *, before: int, after: int, start: int, threshold: float) -> Any:
    """Rows of the core that are below the threshold and the first minimum of their neighborhood."""
    n = len(traces) - before - after
    core = traces[before : before + n]
    keep = core < threshold
    for shift in range(1, before + 1):
        keep &= core < traces[before - shift : before - shift + n]
    for shift in range(1, after + 1):
        keep &= core <= traces[before + shift : before + shift + n]
    rows, channels = np.nonzero(keep)
    events = np.empty(len(rows), EVENT_DTYPE)
    events["sample_index"], events["channel_index"] = rows + start, channels
    events["amplitude"] = core[rows, channels]
    return events


def with_waves(traces: Any, events: Any, *, before: int, after: int, start: int) -> Any:
    out = np.empty(len(events), FEATURE_DTYPE)
    for name in EVENT_DTYPE.names or ():
        out[name] = events[name]
    for k, event in enumerate(events):
        row = event["sample_index"] - start + before
        out["wave"][k] = traces[row - 2 : row + 3, event["channel_index"]]
    return out


def sums(traces: Any, *, before: int, after: int, start: int) -> Any:
    core = traces[before : len(traces) - after].astype(np.float32)
    return {"total": core.sum(axis=0), "squares": core.T @ core, "n": np.int64(len(core))}


def below(records: Any) -> Any:
    return records["channel_index"] < 2


MEAN = Stage(running_mean, dtype=np.float32, before=37, after=23)
SCALE = Stage(scale, dtype=np.float32, parameters={"gain": 1.7})
MIX = Stage(
    mix,
    dtype=np.float32,
    arrays={"matrix": np.random.default_rng(5).normal(size=(N_CHANNELS, N_CHANNELS)).astype(np.float32)},
)
SMOOTH = Stage(running_mean, dtype=np.float32, before=2, after=2)
MINIMA = Stage(minima, dtype=EVENT_DTYPE, parameters={"threshold": -2.0}, before=3, after=3, emits="events")
WAVES = Stage(with_waves, dtype=FEATURE_DTYPE, before=2, after=2, emits="events")
SUMS = Stage(sums, dtype=np.float32, emits="partials")
TRACE_CHAIN = (MEAN, SCALE, MIX, SMOOTH)


def samples(n_samples: int = N_SAMPLES, n_channels: int = N_CHANNELS, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(0, 60, (n_samples, n_channels)).astype(np.int16)


def write_binary(folder: Path, traces: Any) -> BinarySource:
    path = folder / "traces.bin"
    traces.tofile(path)
    return BinarySource(str(path), traces.dtype.str, traces.shape[1], len(traces), content=file_token(path))


def plan_on(source: Any, *, chunk_samples: int = 2000) -> Plan:
    return Plan.of_source(source, sampling_frequency=RATE, chunk_samples=chunk_samples)


def chained(array: da.Array, *stages: Stage) -> da.Array:
    for stage in stages:
        array = extend(array, stage, sampling_frequency=RATE)
    return array


def events_on(source: Any, *, chunk_samples: int = 2000) -> SpikeTable:
    """The whole chain down to events with a feature."""
    plan = plan_on(source, chunk_samples=chunk_samples)
    for stage in (*TRACE_CHAIN, MINIMA, WAVES):
        plan = plan.then(stage)
    return SpikeTable.of_plan(plan)


def traces_on(source: Any, *, chunk_samples: int = 2000) -> da.Array:
    return chained(to_dask(plan_on(source, chunk_samples=chunk_samples)), *TRACE_CHAIN)


def reference_traces(traces: Any) -> Any:
    """The chain on the whole recording at once, padded once by the edge sample."""
    before, after = sum(s.before for s in TRACE_CHAIN), sum(s.after for s in TRACE_CHAIN)
    padded = np.pad(traces, ((before, after), (0, 0)), mode="edge")
    for stage in TRACE_CHAIN:
        padded = stage.func(padded, before=stage.before, after=stage.after, **stage.keywords)
    return padded
