"""From a plan to a Dask array and back: one task per chunk, however long the chain.

The plan rides in the array's own top layer. Slicing keeps it (the slices are replayed on the plan's range); anything
else, like arithmetic or ``persist``, loses it by construction, and the array becomes an opaque root: a source whose
tasks depend on the blocks that cover their widened range.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import dask
import dask.array as da
import numpy as np

from .plan import Array, Plan, Stage, runs_on_devices
from .run import run_events, run_traces
from .tasks import DaskSource, over_chunks

_ANNOTATION = "xephys-plan"


def to_dask(plan: Plan) -> da.Array:
    """The lazy array of a plan: traces ``(time, channel)``, or records of unknown number."""
    if plan.emits == "partials":
        raise ValueError("a plan that emits partial sums has no array; reduce it with graph.reduce.tree_sum")
    name = f"{plan_label(plan)}-{plan.token}"
    if plan.emits == "traces":
        out = over_chunks(plan, run_traces, name=name, dtype=plan.dtype, chunks=(plan.chunks, (plan.n_channels,)))
    else:
        unknown = (float("nan"),) * len(plan.chunks)
        out = over_chunks(plan, run_events, name=name, dtype=plan.dtype, chunks=(unknown,))
    layer = getattr(out.dask, "layers", {}).get(name)
    if layer is not None:  # absent under expression arrays: every array is then an opaque root
        layer.collection_annotations = {**(layer.collection_annotations or {}), _ANNOTATION: plan}
    return out


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
    return _sliced_plan(data)


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
    if array.ndim != 2 or any(np.isnan(n) for n in array.chunks[0]):
        raise ValueError(
            f"an array of shape {array.shape} cannot be a recording; give traces (time, channel) of known length"
        )
    if len(array.chunks[1]) > 1:
        array = array.rechunk({1: -1})
    fresh = Plan.of_source(DaskSource(array), sampling_frequency=sampling_frequency, chunk_samples=array.shape[0] or 1)
    return fresh.narrowed(0, tuple(int(n) for n in array.chunks[0]))


def count_tasks(array: Any) -> int:
    """Tasks left after optimisation, as a compute would run them; stored data are no tasks."""
    from dask._task_spec import DataNode

    data = getattr(array, "data", array)
    with dask.config.set({"optimization.fuse.active": False}):
        (optimized,) = dask.optimize(data)
    graph = dict(optimized.__dask_graph__())
    return sum(callable(task) and not isinstance(task, DataNode) for task in graph.values())


def plan_label(plan: Plan) -> str:
    """Readable prefix of the names of its tasks, by which dashboards group."""
    return plan.stages[-1].name if plan.stages else type(plan.source).__name__.lower()


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


def _sliced_plan(data: da.Array) -> Plan | None:
    """The plan below a chain of slices, narrowed to what they leave; None if anything else was done to the array."""
    if data.ndim != 2 or len(data.chunks[1]) != 1 or 0 in data.shape:
        return None
    name, slices = _planned_root(data)
    if name is None:
        return None
    layers = data.dask.layers
    plan: Plan = layers[name].collection_annotations[_ANNOTATION]
    if plan.emits != "traces":
        return None
    graph: dict[Any, Any] = {}
    for other in slices:
        graph.update(layers[other])
    everything = np.arange(plan.n_channels)
    for i, (start, stop) in enumerate(zip(plan.starts[:-1].tolist(), plan.starts[1:].tolist(), strict=True)):
        graph[(name, i, 0)] = _Selection(start, stop, everything)
    try:
        # One call for all blocks: each call goes through the whole graph.
        parts: list[_Selection] = list(dask.get(graph, [(data.name, i, 0) for i in range(data.numblocks[0])]))
    except (TypeError, ValueError, IndexError, AttributeError, KeyError):
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


def _planned_root(data: da.Array) -> tuple[str | None, list[str]]:
    """The nearest planned layer below the array, if only slices lie between, and the layers of those slices."""
    roots, slices, pending = set(), [], [data.name]
    while pending:
        name = pending.pop()
        layer = data.dask.layers.get(name)
        if _ANNOTATION in (getattr(layer, "collection_annotations", None) or {}):
            roots.add(name)
        elif layer is None or name.split("-")[0] not in {"getitem", "slice", "shuffle"}:
            return None, []
        else:
            slices.append(name)
            pending.extend(data.dask.dependencies[name])
    return (roots.pop(), slices) if len(roots) == 1 else (None, [])


def select_channels_stage(plan: Plan, channels: Array) -> Stage:
    indices = np.asarray(channels, np.int64)
    return Stage(take_channels, dtype=plan.dtype, arrays={"channels": indices}, n_channels=len(indices))


@runs_on_devices
def take_channels(traces: Array, *, before: int, after: int, channels: Array) -> Array:
    """Some of the channels, in the order given."""
    core = traces[before : len(traces) - after]
    if isinstance(traces, np.ndarray):
        return np.ascontiguousarray(core[:, channels])
    return core[:, channels.tolist()]  # an array on a device takes a list where it takes no NumPy array
