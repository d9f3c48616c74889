"""Describe what an array would compute, without computing it: stages, halos, tasks, bytes."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import dask.array as da
import numpy as np

from .build import count_tasks, plan_of
from .plan import Plan
from .tasks import DaskSource


@dataclass(frozen=True)
class StageDescription:
    """One stage: the call that added it, what it emits, and its halo in samples and milliseconds."""

    name: str
    call: str
    emits: str
    before: int
    after: int
    before_ms: float
    after_ms: float
    array_bytes: int


@dataclass(frozen=True)
class Description:
    """The parts of an array, and the cost of computing it.

    Attributes
    ----------
    planned
        False for an opaque array, of which only shape, chunks and tasks are known.
    source
        Kind of source.
    shape, dtype
        Shape and dtype of the array; the shape is NaN for an unknown number of events.
    stages
        In the order they run.
    halo
        Samples read before and after a tile for the whole chain.
    n_chunks, chunk_samples, tile_samples
        Number of chunks, length of the longest chunk, and length of a tile, in samples.
    sampling_frequency
        In hertz; NaN if opaque.
    tasks_per_chunk
        Number of tasks of a compute, divided by the number of chunks.
    bytes_per_task
        Estimated peak memory of a task: its input, its output, and three copies of a tile in float32.
    bytes_read
        Bytes that computing everything reads from the source, halos included; NaN if opaque.
    """

    planned: bool
    source: str
    shape: tuple[float, ...]
    dtype: np.dtype[Any]
    stages: tuple[StageDescription, ...]
    halo: tuple[int, int]
    n_chunks: int
    chunk_samples: int
    tile_samples: int
    sampling_frequency: float
    tasks_per_chunk: float
    bytes_per_task: float
    bytes_read: float

    def _lines(self) -> list[tuple[str, str]]:
        shape = " × ".join("?" if np.isnan(n) else f"{int(n):,}" for n in self.shape)
        kind = f"{len(self.dtype.names)} fields" if self.dtype.names else str(self.dtype)
        lines = [("array", f"{shape} of {kind}"), ("source", self.source)]
        if not self.planned:
            lines.append(("plan", "none: an opaque array; the next operation starts a new plan on top of it"))
            lines.append(("chunks", f"{self.n_chunks:,} of up to {self.chunk_samples:,} samples"))
            lines.append(("tasks per chunk", f"{self.tasks_per_chunk:.3g}"))
            return lines
        for k, stage in enumerate(self.stages, 1):
            halo = f"halo {stage.before} + {stage.after} samples ({stage.before_ms:.3g} + {stage.after_ms:.3g} ms)"
            arrays = f", arrays of {_size(stage.array_bytes)}" if stage.array_bytes else ""
            lines.append((f"stage {k}", f"{stage.call} → {stage.emits}, {halo}{arrays}"))
        ms = [1000 * n / self.sampling_frequency for n in self.halo]
        seconds = self.chunk_samples / self.sampling_frequency
        lines += [
            ("halo in all", f"{self.halo[0]} + {self.halo[1]} samples ({ms[0]:.3g} + {ms[1]:.3g} ms)"),
            ("chunks", f"{self.n_chunks:,} of up to {self.chunk_samples:,} samples ({seconds:.4g} s)"),
            ("tiles", f"{self.tile_samples:,} samples ({self.tile_samples / self.sampling_frequency:.3g} s)"),
            ("tasks per chunk", f"{self.tasks_per_chunk:.3g}"),
            ("memory per task", f"about {_size(self.bytes_per_task)}"),
            ("a compute reads", _size(self.bytes_read)),
        ]
        return lines

    def __repr__(self) -> str:
        width = max(len(name) for name, _ in self._lines())
        return "\n".join(f"{name:<{width}}  {text}" for name, text in self._lines())

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in self._lines())
        return f"<table>{rows}</table>"


def describe(array: Any) -> Description:
    """Describe a recording, a Dask array or a table of events; nothing is computed.

    Parameters
    ----------
    array
        A lazy :class:`xarray.DataArray`, a Dask array or a ``SpikeTable``.

    Raises
    ------
    TypeError
        If it is none of these, or already in memory.

    Examples
    --------
    >>> import dask.array as da
    >>> describe(da.zeros((60_000, 4), chunks=(30_000, 4))).planned
    False
    """
    data = getattr(array, "data", array)
    if not isinstance(data, da.Array):
        raise TypeError(f"{type(array).__name__} is in memory or no array; describe takes lazy recordings and tables")
    plan = plan_of(data)
    tasks = count_tasks(data) / max(1, data.numblocks[0])
    if plan is not None:
        return _of_plan(data, plan, tasks)
    lengths = [n for n in data.chunks[0] if not np.isnan(n)]
    return Description(
        planned=False,
        source=data.name.split("-")[0],
        shape=data.shape,
        dtype=np.dtype(data.dtype),
        stages=(),
        halo=(0, 0),
        n_chunks=int(data.numblocks[0]),
        chunk_samples=int(max(lengths, default=0)),
        tile_samples=0,
        sampling_frequency=float("nan"),
        tasks_per_chunk=tasks,
        bytes_per_task=float("nan"),
        bytes_read=float("nan"),
    )


def _of_plan(data: da.Array, plan: Plan, tasks: float) -> Description:
    per_ms = plan.sampling_frequency / 1000
    stages = tuple(
        StageDescription(
            s.name,
            s.call or s.name,
            s.emits,
            s.before,
            s.after,
            s.before / per_ms,
            s.after / per_ms,
            sum(a.nbytes for a in s.arrays.values()),
        )
        for s in plan.stages
    )
    samples = _samples_read(plan)
    row_bytes = plan.source.n_channels * np.dtype(plan.source.dtype).itemsize
    tile = min(plan.tile_samples, plan.source.n_samples) + sum(plan.halo)
    longest = max(plan.chunks)
    returned = longest * plan.n_channels * plan.dtype.itemsize if plan.emits == "traces" else 0
    working = 3 * tile * max(plan.n_channels, plan.source.n_channels) * 4 if stages else 0
    return Description(
        planned=True,
        source=_source_text(plan),
        shape=data.shape,
        dtype=plan.dtype,
        stages=stages,
        halo=plan.halo,
        n_chunks=len(plan.chunks),
        chunk_samples=longest,
        tile_samples=plan.tile_samples,
        sampling_frequency=plan.sampling_frequency,
        tasks_per_chunk=tasks,
        bytes_per_task=float(samples.max() * row_bytes + returned + working),
        bytes_read=float(samples.sum() * row_bytes),
    )


def _samples_read(plan: Plan) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Samples that the task of each chunk reads: its tiles with their halo, within the source."""
    starts, stops = plan.starts[:-1], plan.starts[1:]
    if not plan.stages:
        return stops - starts
    before, after = plan.halo
    first = starts // plan.tile_samples * plan.tile_samples - before
    last = -(-stops // plan.tile_samples) * plan.tile_samples + after
    read = np.minimum(last, plan.source.n_samples) - np.maximum(first, 0)
    return np.where(stops > starts, read, 0)


def _source_text(plan: Plan) -> str:
    if isinstance(plan.source, DaskSource):
        return f"Dask array {plan.source.array.name.split('-')[0]}"
    path = getattr(plan.source, "path", getattr(plan.source, "store", ""))
    return f"{type(plan.source).__name__} {path}".strip()


def _size(n_bytes: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.3g} TB"
