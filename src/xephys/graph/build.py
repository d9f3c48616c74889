"""From a plan to a Dask array and back: one task per chunk, however long the chain.

The plan rides in the array's own top layer. Slicing keeps it (the slices are replayed on the plan's range); anything
else, like arithmetic or ``persist``, loses it by construction, and the array becomes an opaque root: a source whose
tasks depend on the blocks that cover their widened range.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import dask
import dask.array as da
import numpy as np
from dask.highlevelgraph import HighLevelGraph

from .plan import Array, Plan, Source, Stage
from .run import Program, run_events, run_partials, run_traces, visible_arrays

_ANNOTATION = "xephys-plan"


@dataclass(frozen=True)
class DaskSource:
    """An opaque Dask array as a source: the tasks get the blocks they need, so ``read`` is never called."""

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


def to_dask(plan: Plan) -> da.Array:
    """The lazy array of a plan: traces ``(time, channel)``, or records of unknown number."""
    if plan.emits == "partials":
        raise ValueError("a plan that emits partial sums has no array; reduce it with graph.reduce.tree_sum")
    name = f"{_label(plan)}-{plan.token}"
    if isinstance(plan.source, DaskSource):
        out = _from_blocks(plan, plan.source, name)
    else:
        out = da.map_blocks(
            run_block,
            name=name,
            dtype=plan.dtype,
            chunks=_out_chunks(plan),
            meta=_meta(plan),
            source=plan.source,
            program=Program.of(plan),
            starts=plan.starts,
            arrays=visible_arrays(plan),
        )
    layer = getattr(out.dask, "layers", {}).get(name)
    if layer is not None:  # absent under expression arrays: every array is then an opaque root
        layer.collection_annotations = {**(layer.collection_annotations or {}), _ANNOTATION: plan}
    return out


def run_block(
    *, source: Source, program: Program, starts: Array, arrays: Mapping[str, Array], block_id: tuple[int, ...] = ()
) -> Array:
    """The task of chunk ``block_id[0]``."""
    start, stop = int(starts[block_id[0]]), int(starts[block_id[0] + 1])
    run = run_traces if not program.steps or program.steps[-1].emits == "traces" else run_events
    return run(program, arrays, source.read, start, stop)


def plan_of(array: Any) -> Plan | None:
    """The plan an array carries, also through time and channel slices; None for an opaque array."""
    data = getattr(array, "data", array)
    layers = getattr(getattr(data, "dask", None), "layers", None)
    if not layers:
        return None
    own = (getattr(layers.get(data.name), "collection_annotations", None) or {}).get(_ANNOTATION)
    if own is not None:
        plan: Plan = own
        return plan
    return _sliced_plan(data, layers)


def extend(array: da.Array, stage: Stage, *, sampling_frequency: float) -> da.Array:
    """The array with one stage more: the one entry point that operations use.

    ``sampling_frequency`` (Hz) sets the tile grid where the array is opaque and starts a new plan.
    """
    return to_dask(extend_plan(array, stage, sampling_frequency=sampling_frequency))


def extend_plan(array: da.Array, stage: Stage, *, sampling_frequency: float) -> Plan:
    return root_plan(array, sampling_frequency=sampling_frequency).then(stage)


def root_plan(array: da.Array, *, sampling_frequency: float) -> Plan:
    """The array's plan, or a new one that takes the array as its source."""
    plan = plan_of(array)
    if plan is not None:
        return plan
    if len(array.chunks) == 2 and len(array.chunks[1]) > 1:
        array = array.rechunk({1: -1})
    fresh = Plan.of_source(DaskSource(array), sampling_frequency=sampling_frequency, chunk_samples=1)
    return fresh.narrowed(0, tuple(int(n) for n in array.chunks[0]))


def count_tasks(array: Any) -> int:
    """Tasks left after optimisation, as a compute would run them."""
    data = getattr(array, "data", array)
    with dask.config.set({"optimization.fuse.active": False}):
        (optimized,) = dask.optimize(data)
    graph = dict(optimized.__dask_graph__())
    return sum(callable(task) or _is_task(task) for task in graph.values())


def _is_task(value: Any) -> bool:
    from dask._task_spec import Task

    return isinstance(value, Task)


def _label(plan: Plan) -> str:
    return plan.stages[-1].name if plan.stages else type(plan.source).__name__.lower()


def _out_chunks(plan: Plan) -> tuple[tuple[float, ...], ...]:
    if plan.emits == "traces":
        return plan.chunks, (plan.n_channels,)
    return ((float("nan"),) * len(plan.chunks),)


def _meta(plan: Plan) -> Array:
    return np.empty((0, 0) if plan.emits == "traces" else 0, plan.dtype)


def _from_blocks(plan: Plan, source: DaskSource, name: str) -> da.Array:
    """Tasks over an opaque array: each depends on the blocks that cover its tiles and their halo."""
    from dask._task_spec import List, Task, TaskRef

    program, arrays = Program.of(plan), visible_arrays(plan)
    blocks = source.array
    edges = np.concatenate([[0], np.cumsum(blocks.chunks[0])]).astype(np.int64)
    array_key = f"arrays-{name}"
    graph: dict[Any, Any] = {array_key: Task(array_key, dict, arrays)}
    suffix = (0,) if plan.emits == "traces" else ()
    for i, (start, stop) in enumerate(zip(plan.starts[:-1], plan.starts[1:], strict=True)):
        first, last = covering_blocks(plan, edges, int(start), int(stop))
        refs = List(*(TaskRef((blocks.name, j, 0)) for j in range(first, last)))
        key = (name, i, *suffix)
        graph[key] = Task(
            key, run_on_blocks, program, TaskRef(array_key), refs, int(edges[first]), int(start), int(stop)
        )
    layered = HighLevelGraph.from_collections(name, graph, dependencies=[blocks])
    return da.Array(layered, name, chunks=_out_chunks(plan), meta=_meta(plan))


def covering_blocks(plan: Plan, edges: Array, start: int, stop: int) -> tuple[int, int]:
    """Blocks ``[first, last)`` that hold the tiles of ``[start, stop)`` with their halo."""
    tiles, (before, after) = plan.tiles(start, stop), plan.halo
    if not tiles or not plan.stages:
        lo, hi = start, stop
    else:
        lo, hi = tiles[0] * plan.tile_samples - before, (tiles[-1] + 1) * plan.tile_samples + after
    lo, hi = max(0, lo), min(plan.source.n_samples, hi)
    first = max(0, int(np.searchsorted(edges, lo, side="right")) - 1)
    return first, max(first + 1, int(np.searchsorted(edges, hi, side="left")))


def run_on_blocks(
    program: Program, arrays: Mapping[str, Array], blocks: list[Array], offset: int, start: int, stop: int
) -> Any:
    """The task of one chunk of an opaque array, given the blocks it needs."""
    joined = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def read(lo: int, hi: int) -> Array:
        part: Array = joined[lo - offset : hi - offset]
        return part

    emits = program.steps[-1].emits if program.steps else "traces"
    run: Any = {"traces": run_traces, "events": run_events, "partials": run_partials}[emits]
    return run(program, arrays, read, start, stop)


class _Selection:
    """Stands for a block while slices are replayed: knows only ``[time, channel]``, so any other operation fails."""

    def __init__(self, start: int, stop: int, channels: Array) -> None:
        self.start, self.stop, self.channels = start, stop, channels

    def __getitem__(self, index: Any) -> _Selection:
        time, channel = index if isinstance(index, tuple) else (index, slice(None))
        if not isinstance(time, slice):
            raise TypeError("only slices in time keep a plan")
        first, last, step = time.indices(self.stop - self.start)
        if step != 1:
            raise TypeError("a stride in time loses the plan")
        channels = self.channels[channel]
        if np.ndim(channels) != 1:
            raise TypeError("a single channel without its dimension loses the plan")
        return _Selection(self.start + first, self.start + max(first, last), channels)


def _sliced_plan(data: da.Array, layers: Mapping[str, Any]) -> Plan | None:
    roots = [
        (name, layer.collection_annotations[_ANNOTATION])
        for name, layer in layers.items()
        if _ANNOTATION in (getattr(layer, "collection_annotations", None) or {})
    ]
    others = [name for name in layers if name not in {root for root, _ in roots}]
    sliced = all(name.split("-")[0] in {"getitem", "slice", "shuffle"} for name in others)
    if len(roots) != 1 or not sliced or data.ndim != 2 or len(data.chunks[1]) != 1 or 0 in data.shape:
        return None
    name = roots[0][0]
    plan: Plan = roots[0][1]
    if plan.emits != "traces":
        return None
    graph: dict[Any, Any] = {}
    for other in others:
        graph.update(layers[other])
    everything = np.arange(plan.n_channels)
    for i, (start, stop) in enumerate(zip(plan.starts[:-1], plan.starts[1:], strict=True)):
        graph[(name, i, 0)] = _Selection(int(start), int(stop), everything)
    try:
        parts: list[_Selection] = [dask.get(graph, (data.name, i, 0)) for i in range(data.numblocks[0])]
    except (TypeError, AttributeError, KeyError):
        return None
    if not all(isinstance(part, _Selection) for part in parts):
        return None
    joined = all(a.stop == b.start for a, b in pairwise(parts))
    same = all(np.array_equal(part.channels, parts[0].channels) for part in parts)
    if not joined or not same:
        return None
    narrow = plan.narrowed(parts[0].start, tuple(part.stop - part.start for part in parts))
    if np.array_equal(parts[0].channels, everything):
        return narrow
    return narrow.then(select_channels_stage(plan, parts[0].channels))


def select_channels_stage(plan: Plan, channels: Array) -> Stage:
    indices = np.asarray(channels, np.int64)
    return Stage(take_channels, dtype=plan.dtype, arrays={"channels": indices}, n_channels=len(indices))


def take_channels(traces: Array, *, before: int, after: int, channels: Array) -> Array:
    """Some of the channels, in the order given."""
    return np.ascontiguousarray(traces[before : len(traces) - after, channels])
