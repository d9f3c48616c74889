"""Make the tasks of a plan, one per chunk: the only place where Dask tasks are made.

A task gets the numbers of its chunk, reads its widened range from the source and runs the stages. If the source is
itself a Dask array, the task depends on the blocks that cover that range instead of reading them.

If Dask's array expressions are on (``array.query-planning``), the array is an expression of its own that makes the same
tasks; otherwise it is a layer of a graph. Either one carries the plan.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dask
import dask.array as da
import numpy as np
from dask._task_spec import DataNode, List, Task, TaskRef
from dask.highlevelgraph import HighLevelGraph

from .plan import Array, Plan, Source
from .run import Program, visible_arrays

#: Whether Dask's arrays are expressions; fixed when ``dask.array`` is first imported.
EXPRESSIONS = hasattr(da.Array, "expr")

#: Key of the plan among the annotations of its array's layer, which no scheduler reads.
PLAN_ANNOTATION = "xephys-plan"


@dataclass(frozen=True)
class DaskSource:
    """An opaque Dask array as a source. Tasks get the blocks they need, so ``read`` only serves inspection."""

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
    carries_plan: bool = False,
) -> da.Array:
    """A Dask array of one task per chunk.

    Parameters
    ----------
    plan
        Provides the source, the stages and the chunks.
    run
        Module-level function ``run(program, arrays, read, start, stop, **options)`` that returns the block.
    name
        Name of the array and its layer; it must identify what is computed.
    dtype, chunks
        dtype and chunks of the array; object dtype if the blocks are not arrays.
    numbers
        Numbers of the plan's chunks to compute; all if None.
    options
        Plain keyword arguments for ``run``.
    carries_plan
        Whether the array holds what the plan emits, so that the plan can be recovered from it.
    """
    wanted = np.arange(len(plan.chunks)) if numbers is None else np.asarray(numbers, np.int64)
    bounds = np.stack([plan.starts[:-1][wanted], plan.starts[1:][wanted]], axis=1)
    blocks = plan.source.array if isinstance(plan.source, DaskSource) else None
    work = Work(
        run,
        Program.of(plan),
        visible_arrays(plan),
        dict(options or {}),
        bounds,
        source=plan.source if blocks is None else None,
        spans=None if blocks is None else block_spans(plan, blocks.chunks[0], bounds),
    )
    meta = np.empty((0,) * len(chunks), dtype)
    carried = plan if carries_plan else None
    if EXPRESSIONS:
        from .expression import LazyArray, PlanExpression

        return LazyArray(PlanExpression(name, work, chunks, meta, carried, blocks, blocks and blocks.name))
    if blocks is None:
        # Stored under its own key: a keyword argument below a megabyte would be sent along with every task.
        shared = dask.delayed(work, name=work_key(name), traverse=False)
        out = da.map_blocks(on_source, name=name, dtype=dtype, chunks=chunks, meta=meta, shared=shared)
    else:
        graph = tasks_on_blocks(work, name=name, n_dims=len(chunks), blocks=blocks.name)
        layered = HighLevelGraph.from_collections(name, graph, dependencies=[blocks])
        out = da.Array(layered, name, chunks=chunks, meta=meta)
    if carried is not None:
        layer = out.dask.layers[name]
        layer.collection_annotations = {**(layer.collection_annotations or {}), PLAN_ANNOTATION: carried}
    return out


def map_records(records: da.Array, func: Callable[..., Array], *, dtype: np.dtype[Any], **options: Any) -> da.Array:
    """Apply a module-level function to each block of an array of unknown length; blocks may change in length."""
    chunks = (records.chunks[0], *((size,) for size in dtype.shape))
    meta = np.empty((0,) * len(chunks), dtype.base)
    if EXPRESSIONS:
        from .expression import LazyArray, Records

        return LazyArray(Records(records, func, options, chunks, meta))
    inner = list(range(1, len(chunks))) or None
    return records.map_blocks(func, dtype=dtype.base, chunks=chunks, new_axis=inner, meta=meta, **options)


@dataclass(frozen=True)
class Work:
    """What the tasks of an array share: stored once in its graph, sent once to each worker.

    ``bounds`` holds the samples ``(start, stop)`` of each chunk. If the source is a Dask array, ``spans`` holds the
    blocks ``[first, last)`` that a chunk needs and the first sample of these. Not callable, or Dask would take it for a
    task.
    """

    run: Callable[..., Any]
    program: Program
    arrays: Mapping[str, Array]
    options: Mapping[str, Any]
    bounds: Array
    source: Source | None
    spans: Array | None

    def block(self, read: Callable[[int, int], Array], number: int) -> Any:
        start, stop = self.bounds[number].tolist()
        return self.run(self.program, self.arrays, read, start, stop, **self.options)


def work_key(name: str) -> str:
    """Key of the work that an array's tasks share; Dask groups keys by what precedes the token."""
    return part_key(name, "inputs")


def part_key(name: str, part: str) -> str:
    """Name for part of the work of an array called ``label-token``; Dask shows it as ``label-part``.

    Examples
    --------
    >>> part_key("detect_peaks-0123456789abcdef", "merge")
    'detect_peaks-merge-0123456789abcdef'
    """
    label, _, token = name.partition("-")
    return f"{label}-{part}-{token}"


def on_source(*, shared: Work, block_id: tuple[int, ...] = ()) -> Any:
    """Task of a chunk whose samples come from a source."""
    assert shared.source is not None
    return shared.block(shared.source.read, block_id[0])


def on_blocks(work: Work, blocks: list[Array], number: int) -> Any:
    """Task of a chunk whose samples come from blocks of another array."""
    assert work.spans is not None
    joined, offset = blocks[0] if len(blocks) == 1 else np.concatenate(blocks), int(work.spans[number, 2])

    def read(lo: int, hi: int) -> Array:
        part: Array = joined[lo - offset : hi - offset]
        return part

    return work.block(read, number)


def tasks_on_source(work: Work, *, name: str, n_dims: int) -> dict[Any, Any]:
    """The graph of an array on a source."""
    shared, suffix = work_key(name), (0,) * (n_dims - 1)
    graph: dict[Any, Any] = {shared: DataNode(shared, work)}
    for i in range(len(work.bounds)):
        key = (name, i, *suffix)
        graph[key] = Task(key, on_source, shared=TaskRef(shared), block_id=(i,))
    return graph


def tasks_on_blocks(work: Work, *, name: str, n_dims: int, blocks: str) -> dict[Any, Any]:
    """The graph of an array on the array named ``blocks``."""
    assert work.spans is not None
    shared, suffix = work_key(name), (0,) * (n_dims - 1)
    graph: dict[Any, Any] = {shared: DataNode(shared, work)}
    for i, (first, last, _) in enumerate(work.spans.tolist()):
        key = (name, i, *suffix)
        refs = List(*(TaskRef((blocks, j, 0)) for j in range(first, last)))
        graph[key] = Task(key, on_blocks, TaskRef(shared), refs, i)
    return graph


def block_spans(plan: Plan, chunks: tuple[int, ...], bounds: Array) -> Array:
    """For each chunk of a plan, the blocks ``[first, last)`` of its source that it needs, and their first sample."""
    edges = np.concatenate([[0], np.cumsum(chunks)]).astype(np.int64)
    spans = np.empty((len(bounds), 3), np.int64)
    for i, (start, stop) in enumerate(bounds.tolist()):
        spans[i, :2] = covering_blocks(plan, edges, start, stop)
    spans[:, 2] = edges[spans[:, 0]]
    return spans


def covering_blocks(plan: Plan, edges: Array, start: int, stop: int) -> tuple[int, int]:
    """Blocks ``[first, last)`` that hold the tiles of ``[start, stop)`` and their halo.

    ``edges`` are the block ends.
    """
    tiles, (before, after) = plan.tiles(start, stop), plan.halo
    if not tiles or not plan.stages:
        lo, hi = start, stop
    else:
        lo, hi = tiles[0] * plan.tile_samples - before, (tiles[-1] + 1) * plan.tile_samples + after
    lo, hi = max(0, lo), min(plan.source.n_samples, hi)
    first = int(np.searchsorted(edges, lo, side="right")) - 1
    first = min(max(0, first), max(0, len(edges) - 2))
    return first, max(first + 1, int(np.searchsorted(edges, hi, side="left")))
