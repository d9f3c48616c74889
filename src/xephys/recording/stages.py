"""The few lines that all operations share to add a stage to a recording."""

from __future__ import annotations

from typing import Any

import xarray as xr

from .. import schema
from ..calls import HISTORY, history_of
from ..graph.build import plan_of, root_plan, to_dask
from ..graph.plan import Plan, Stage
from ..graph.slices import is_computed
from ..unit_mark import UNKNOWN_STEP, changed_by_hand
from .clock import first_by_time


def extend_recording(recording: xr.DataArray, stage: Stage, *, units: str | None = None) -> xr.DataArray:
    """A valid recording with one more trace stage; coordinates are kept, units set, and the history extended.

    Operations validate their input once, and this function relies on it. A recording that something other than an
    operation has changed, such as arithmetic, gets an unknown step in its history.
    """
    data = to_dask(recording_plan(recording).then(stage))
    is_opaque = recording.chunks is not None and is_computed(recording.data)
    if changed_by_hand(recording) or (history_of(recording) and is_opaque):
        recording = recording.assign_attrs({HISTORY: "\n".join([*history_of(recording), UNKNOWN_STEP])})
    return schema.wrap_like(recording, data, step=describe_step(stage), units=units)


def recording_plan(recording: xr.DataArray) -> Plan:
    """The plan of a valid recording, or a new one on top of its opaque array."""
    lazy, rate = as_lazy(recording), float(recording.attrs["sampling_frequency"])
    return plan_of(lazy) or root_plan(lazy, sampling_frequency=rate, origin=first_by_time(recording))


def as_lazy(recording: xr.DataArray) -> Any:
    """The Dask array of a recording; traces in memory are chunked into pieces of two seconds."""
    if recording.chunks is not None:
        return recording.data
    rate = float(recording.attrs["sampling_frequency"])
    return recording.chunk({"time": max(1, round(2.0 * rate)), "channel": -1}).data


def describe_step(stage: Stage) -> str:
    """One line of a recording's history."""
    given = ", ".join(f"{key}={value!r}" for key, value in stage.parameters.items())
    return f"{stage.kernel}({given})"


def same_traces(recording: xr.DataArray, plan: Plan | None) -> bool:
    """Whether an event plan runs over exactly this recording's traces."""
    if plan is None:
        return False
    own = recording_plan(recording)
    return (own.source.token, [s.token for s in own.stages], own.start, own.origin, own.chunks) == (
        plan.source.token,
        [s.token for s in plan.trace_stages],
        plan.start,
        plan.origin,
        plan.chunks,
    )
