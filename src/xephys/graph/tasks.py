"""One task per chunk of a plan: the only place where Dask tasks are made.

A task gets the numbers of its chunk, reads its widened range from the source and runs the stages. Where the source is
itself a Dask array, the task depends on the blocks that cover that range instead of reading them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import dask
import dask.array as da
import numpy as np
from dask.highlevelgraph import HighLevelGraph

from .plan import Array, Plan, Source
from .run import Program, visible_arrays

#: Held while a chunk is on a device, whose memory then holds one tile of this process, however many threads it has.
_DEVICE_TURN = threading.Lock()


@dataclass(frozen=True)
class DaskSource:
    """An opaque Dask array as a source: the tasks get the blocks they need, so ``read`` is for looking only."""

    array: da.Array

    @property
    def n_samples(self) -> int:
        return int(self.array.shape[0])

    @property
    def n_channels(self) -> int:
        return int(self.array.shape[1])

    @property
    def dtype(self) -> np.dtype[Any]:
        dtype: np.dtype[Any] = np.dtype(self.array.dtype)
        return dtype

    @property
    def token(self) -> str:
        return f"dask:{self.array.name}"

    def read(self, start: int, stop: int) -> Array:
        block: Array = self.array[start:stop].compute()
        return block


def over_chunks(
    plan: Plan,
    run: Callable[..., Any],
    *,
    name: str,
    dtype: Any,
    chunks: tuple[tuple[float, ...], ...],
    numbers: Sequence[int] | None = None,
    options: Mapping[str, Any] | None = None,
) -> da.Array:
    """A Dask array of one task per chunk.

    Parameters
    ----------
    plan
        Gives the source, the stages and the chunks.
    run
        Module-level function ``run(program, arrays, read, start, stop, **options)``; what it returns is the block.
    name
        Of the array and its layer; it must identify what is computed.
    dtype, chunks
        Of the array; object dtype where the blocks are no arrays.
    numbers
        Which chunks of the plan; all if None.
    options
        Plain keyword arguments for ``run``.
    """
    wanted = np.arange(len(plan.chunks)) if numbers is None else np.asarray(numbers, np.int64)
    bounds = np.stack([plan.starts[:-1][wanted], plan.starts[1:][wanted]], axis=1)
    opaque = plan.source if isinstance(plan.source, DaskSource) else None
    source = plan.source if opaque is None else None
    work = Work(run, Program.of(plan), visible_arrays(plan), dict(options or {}), bounds, source)
    meta = np.empty((0,) * len(chunks), dtype)
    if opaque is not None:
        return _over_blocks(plan, opaque, work, name=name, chunks=chunks, meta=meta)
    # As a key of its own: a keyword below a megabyte would travel to the workers with every single task.
    shared = dask.delayed(work, name=f"work-{name}", traverse=False)
    return da.map_blocks(_on_source, name=name, dtype=dtype, chunks=chunks, meta=meta, shared=shared)


@dataclass(frozen=True)
class Work:
    """What the tasks of an array have in common: stored once in its graph, sent once to each worker.

    Not callable, or Dask would take it for a task.
    """

    run: Callable[..., Any]
    program: Program
    arrays: Mapping[str, Array]
    options: Mapping[str, Any]
    bounds: Array
    source: Source | None

    def block(self, read: Callable[[int, int], Array], number: int) -> Any:
        start, stop = self.bounds[number].tolist()
        with nullcontext() if self.program.device is None else _DEVICE_TURN:
            return self.run(self.program, self.arrays, read, start, stop, **self.options)


def _on_source(*, shared: Work, block_id: tuple[int, ...] = ()) -> Any:
    assert shared.source is not None
    return shared.block(shared.source.read, block_id[0])


def _over_blocks(
    plan: Plan, source: DaskSource, work: Work, *, name: str, chunks: tuple[tuple[float, ...], ...], meta: Array
) -> da.Array:
    from dask._task_spec import DataNode, List, Task, TaskRef

    blocks = source.array
    edges = np.concatenate([[0], np.cumsum(blocks.chunks[0])]).astype(np.int64)
    shared = f"work-{name}"
    graph: dict[Any, Any] = {shared: DataNode(shared, work)}
    suffix = (0,) * (len(chunks) - 1)
    for i, (start, stop) in enumerate(work.bounds.tolist()):
        first, last = covering_blocks(plan, edges, start, stop)
        refs = List(*(TaskRef((blocks.name, j, 0)) for j in range(first, last)))
        key = (name, i, *suffix)
        graph[key] = Task(key, _on_blocks, TaskRef(shared), refs, int(edges[first]), i)
    layered = HighLevelGraph.from_collections(name, graph, dependencies=[blocks])
    return da.Array(layered, name, chunks=chunks, meta=meta)


def _on_blocks(work: Work, blocks: list[Array], offset: int, number: int) -> Any:
    joined = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def read(lo: int, hi: int) -> Array:
        part: Array = joined[lo - offset : hi - offset]
        return part

    return work.block(read, number)


def covering_blocks(plan: Plan, edges: Array, start: int, stop: int) -> tuple[int, int]:
    """Blocks ``[first, last)`` that hold the tiles of ``[start, stop)`` and halo; ``edges``: where blocks end."""
    tiles, (before, after) = plan.tiles(start, stop), plan.halo
    if not tiles or not plan.stages:
        lo, hi = start, stop
    else:
        lo, hi = tiles[0] * plan.tile_samples - before, (tiles[-1] + 1) * plan.tile_samples + after
    lo, hi = max(0, lo), min(plan.source.n_samples, hi)
    first = int(np.searchsorted(edges, lo, side="right")) - 1
    first = min(max(0, first), max(0, len(edges) - 2))
    return first, max(first + 1, int(np.searchsorted(edges, hi, side="left")))
