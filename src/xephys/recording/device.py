"""Move a recording to a device, in the plan: what follows is computed there."""

from __future__ import annotations

import xarray as xr

from .. import schema
from ..calls import operation
from ..errors import ParameterError
from ..graph.plan import Stage
from .stages import extend_recording, recording_plan


@operation
def to_device(recording: xr.DataArray, device: str = "cuda") -> xr.DataArray:
    """Compute everything that follows on a device, lazily.

    Each tile is moved there once, in the type in which it is stored, and all later stages of the same chain run on
    the device's arrays. What is computed comes back as NumPy: traces if traces are asked for, else events or sums.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``; best before any other step, while they are 16-bit integers.
    device
        ``"cuda"``, through CuPy; ``"cpu"`` returns the recording unchanged.

    Returns
    -------
    The same traces, still lazy.

    Raises
    ------
    ParameterError
        If there is no such device or CuPy is not installed, or the recording is on another device already. Steps that
        have no kernel for devices raise it when they are added.

    Notes
    -----
    Run one worker with one thread for each device: tiles that are computed at once are held at once in its memory.

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
