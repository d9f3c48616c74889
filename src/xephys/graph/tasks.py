"""One task per chunk of a plan: the only place where Dask tasks are made.

A task gets the numbers of its chunk, reads its widened range from the source and runs the stages. Where the source is
itself a Dask array, the task depends on the blocks that cover that range instead of reading them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
from dask.highlevelgraph import HighLevelGraph

from .plan import Array, Plan, Source
from .run import Program, visible_arrays


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
    meta = np.empty((0,) * len(chunks), dtype)
    if isinstance(plan.source, DaskSource):
        return _over_blocks(plan, plan.source, run, name=name, chunks=chunks, bounds=bounds, options=options, meta=meta)
    return da.map_blocks(
        _on_source,
        name=name,
        dtype=dtype,
        chunks=chunks,
        meta=meta,
        run=run,
        program=Program.of(plan),
        arrays=visible_arrays(plan),
        source=plan.source,
        bounds=bounds,
        options=dict(options or {}),
    )


def _on_source(
    *,
    run: Callable[..., Any],
    program: Program,
    arrays: Mapping[str, Array],
    source: Source,
    bounds: Array,
    options: Mapping[str, Any],
    block_id: tuple[int, ...] = (),
) -> Any:
    start, stop = bounds[block_id[0]].tolist()
    return run(program, arrays, source.read, start, stop, **options)


def _over_blocks(
    plan: Plan,
    source: DaskSource,
    run: Callable[..., Any],
    *,
    name: str,
    chunks: tuple[tuple[float, ...], ...],
    bounds: Array,
    options: Mapping[str, Any] | None,
    meta: Array,
) -> da.Array:
    from dask._task_spec import List, Task, TaskRef

    blocks = source.array
    edges = np.concatenate([[0], np.cumsum(blocks.chunks[0])]).astype(np.int64)
    array_key = f"arrays-{name}"
    graph: dict[Any, Any] = {array_key: Task(array_key, dict, visible_arrays(plan))}
    program, more = Program.of(plan), dict(options or {})
    suffix = (0,) * (len(chunks) - 1)
    for i, (start, stop) in enumerate(bounds.tolist()):
        first, last = covering_blocks(plan, edges, start, stop)
        refs = List(*(TaskRef((blocks.name, j, 0)) for j in range(first, last)))
        key = (name, i, *suffix)
        graph[key] = Task(
            key, _on_blocks, run, program, TaskRef(array_key), refs, int(edges[first]), start, stop, options=more
        )
    layered = HighLevelGraph.from_collections(name, graph, dependencies=[blocks])
    return da.Array(layered, name, chunks=chunks, meta=meta)


def _on_blocks(
    run: Callable[..., Any],
    program: Program,
    arrays: Mapping[str, Array],
    blocks: list[Array],
    offset: int,
    start: int,
    stop: int,
    *,
    options: Mapping[str, Any],
) -> Any:
    joined = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def read(lo: int, hi: int) -> Array:
        part: Array = joined[lo - offset : hi - offset]
        return part

    return run(program, arrays, read, start, stop, **options)


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
