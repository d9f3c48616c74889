"""Move a recording to a device, as a step of its plan: everything after it is computed there."""

from __future__ import annotations

from dataclasses import replace

import xarray as xr

from .. import schema
from ..calls import operation
from ..errors import ParameterError
from ..graph.build import to_dask
from ..graph.plan import Plan, Stage
from .stages import extend_recording, recording_plan


@operation
def to_device(recording: xr.DataArray, device: str = "cuda") -> xr.DataArray:
    """Compute all following steps on a device, lazily.

    Each tile is moved there once, in the type in which it is stored, and all later stages of the chain run on device
    arrays. Results come back as NumPy arrays: traces if traces are requested, otherwise events or sums.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``, preferably before any other step, while they are 16-bit integers.
    device
        ``"cuda"``, through CuPy; ``"cpu"`` returns the recording unchanged.

    Returns
    -------
    The same traces, still lazy.

    Raises
    ------
    ParameterError
        If the device does not exist, CuPy is not installed, or the recording is already on another device. Steps
        without a device kernel raise it when they are added.

    Notes
    -----
    Run one worker with one thread per device: tiles that are computed at once occupy its memory at once.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> to_device(recording, "cpu") is recording
    True
    """
    from ..kernels.lib import dispatch

    if device == "cpu":
        return recording
    dispatch.namespace_of_device(device)
    schema.validate_recording(recording)
    own = recording_plan(recording).device
    if own == device:
        return recording
    if own is not None:
        raise ParameterError(f"the recording is on device {own!r} already; move it to {device!r} before that")
    stage = Stage(dispatch.to_device, dtype=recording.dtype, parameters={"device": device}, device=device)
    return extend_recording(recording, stage)


def on_cpu(recording: xr.DataArray) -> xr.DataArray:
    """The same chain without its move to a device: for steps that have no kernel there."""
    plan = recording_plan(recording)
    return recording if plan.device is None else recording.copy(data=to_dask(without_device(plan)))


def without_device(plan: Plan) -> Plan:
    """The plan without the stages that move traces to a device."""
    return replace(plan, stages=tuple(stage for stage in plan.stages if stage.device is None))
