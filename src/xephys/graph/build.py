"""From a plan to a Dask array and back: one task per chunk, however long the chain.

The plan travels with the array: in its top graph layer, or as its expression. Slicing keeps it, by replaying the slices
on the plan's range. Anything else, like arithmetic or ``persist``, loses it by construction, and the array becomes an
opaque root: a source whose tasks depend on the blocks that cover their widened range.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import dask
import dask.array as da
import numpy as np

from .plan import Array, Plan, Stage, runs_on_devices
from .run import run_events, run_traces
from .slices import find_plan, selected
from .tasks import DaskSource, over_chunks


def to_dask(plan: Plan) -> da.Array:
    """The lazy array of a plan: traces ``(time, channel)``, or an unknown number of records."""
    if plan.emits == "partials":
        raise ValueError("a plan that emits partial sums has no array; reduce it with graph.reduce.tree_sum")
    name = f"{plan_label(plan)}-{plan.token}"
    if plan.emits == "traces":
        chunks: tuple[tuple[float, ...], ...] = (plan.chunks, (plan.n_channels,))
        return over_chunks(plan, run_traces, name=name, dtype=plan.dtype, chunks=chunks, carries_plan=True)
    unknown = (float("nan"),) * len(plan.chunks)
    return over_chunks(plan, run_events, name=name, dtype=plan.dtype, chunks=(unknown,), carries_plan=True)


def plan_of(array: Any) -> Plan | None:
    """The plan that an array carries, also after time and channel slices; None for an opaque array."""
    data = getattr(array, "data", array)
    found = find_plan(data) if isinstance(data, da.Array) else None
    if found is None or not found.slices:
        return None if found is None else found.plan
    selection = selected(data, found)
    if selection is None:
        return None
    plan = found.plan.narrowed(selection.start, selection.chunks)
    if np.array_equal(selection.channels, np.arange(plan.n_channels)):
        return plan
    return plan.then(select_channels_stage(plan, selection.channels))


def root_plan(array: da.Array, *, sampling_frequency: float, origin: int = 0) -> Plan:
    """The array's plan, or a new one with the array as its source and samples counted from ``origin``."""
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
    return replace(fresh.narrowed(0, tuple(int(n) for n in array.chunks[0])), origin=origin)


def count_tasks(array: Any) -> int:
    """Number of tasks that a compute would run after optimization; stored data do not count."""
    from dask._task_spec import DataNode, convert_legacy_graph

    data = getattr(array, "data", array)
    if hasattr(data, "expr"):
        optimized = data.optimize()
    else:
        with dask.config.set({"optimization.fuse.active": False}):
            (optimized,) = dask.optimize(data)
    graph = convert_legacy_graph(dict(optimized.__dask_graph__()))
    return sum(callable(task) and not isinstance(task, DataNode) for task in graph.values())


def plan_label(plan: Plan) -> str:
    """Prefix of the task names, by which dashboards group them: the last operation of the plan."""
    return plan.stages[-1].name if plan.stages else type(plan.source).__name__.lower()


def kernel_label(plan: Plan) -> str:
    """A prefix from the last kernel instead, known wherever the stage was added; used in file names."""
    return plan.stages[-1].kernel if plan.stages else type(plan.source).__name__.lower()


def select_channels_stage(plan: Plan, channels: Array) -> Stage:
    indices = np.asarray(channels, np.int64)
    return Stage(take_channels, dtype=plan.dtype, arrays={"channels": indices}, n_channels=len(indices))


@runs_on_devices
def take_channels(traces: Array, *, before: int, after: int, channels: Array) -> Array:
    """Some of the channels, in the given order."""
    core = traces[before : len(traces) - after]
    if isinstance(traces, np.ndarray):
        return np.ascontiguousarray(core[:, channels])
    return core[:, channels.tolist()]  # device arrays accept a list where they reject a NumPy array
