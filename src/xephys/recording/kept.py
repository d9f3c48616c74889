"""Compute a recording's transforms once and keep the result for any number of passes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr

from .. import schema
from ..checks import check_choice, check_positive
from ..graph.build import to_dask
from ..graph.keep.traces import PLACES, KeptSource, keep_traces
from ..graph.plan import Stage
from .stages import recording_plan


def keep_recording(
    recording: xr.DataArray,
    *,
    step: float | None,
    folder: Path | None,
    place: str = "auto",
    bytes_max: int | None = None,
) -> xr.DataArray:
    """The recording rounded to multiples of ``step``; each tile is computed on first use and kept as int16.

    Parameters
    ----------
    recording
        Traces after all transforms.
    step
        Step in the recording's unit; values beyond 32767 steps are clipped. Rounding adds noise of ``step / sqrt(12)``.
        If None, nothing is rounded, and tiles are kept as float32, in twice the room.
    folder
        Directory for tiles that are kept on disk.
    place
        ``"memory"``, ``"disk"``, ``"none"`` (computed on each use) or ``"auto"``: in memory if the tiles are small
        enough, otherwise on disk if there is room, otherwise not at all. The values are the same in every case.
    bytes_max
        Maximum number of bytes to keep; if the recording takes more, nothing is kept. Unlimited if None.

    Returns
    -------
    Traces, float32, same coordinates, chunks and unit, lazy, in host memory. If they are computed on a device, tiles
    come back as integers, and later passes run there (see :func:`on_their_device`) or on the CPU.

    Raises
    ------
    ParameterError
        If the place is unknown, or a number is not positive.
    """
    from ..kernels.lib.quantize import quantize
    from ..kernels.preprocess.scale import scale

    check_choice("cache", place, PLACES)
    check_positive(step=1.0 if step is None else step, **({} if bytes_max is None else {"cache_bytes_max": bytes_max}))
    plan = recording_plan(recording)
    if step is None:
        kept = keep_traces(plan, folder, place=place, bytes_max=bytes_max)
        return schema.wrap_like(recording, to_dask(kept), step="keep_recording(step=None)")
    plan = plan.then(Stage(quantize, dtype=np.dtype("i2"), parameters={"step": float(step)}))
    kept = keep_traces(plan, folder, place=place, bytes_max=bytes_max)
    gain = {"gain": np.asarray(step, np.float32)}
    traces = to_dask(kept.then(Stage(scale, dtype=np.dtype("f4"), arrays=gain)))
    return schema.wrap_like(recording, traces, step=f"keep_recording(step={step!r})")


def kept_integers(recording: xr.DataArray) -> tuple[xr.DataArray, float]:
    """The integers of which a kept recording consists, and their step; the recording itself and 1 if it has none.

    Sums over them are a sum over the recording divided by the step, without the time to convert all samples: with a
    step that is a power of two, to the bit.

    Parameters
    ----------
    recording
        From :func:`keep_recording`, or any other.
    """
    from ..kernels.preprocess.scale import scale

    plan = recording_plan(recording)
    if not isinstance(plan.source, KeptSource) or [stage.func for stage in plan.stages] != [scale]:
        return recording, 1.0
    integers = to_dask(replace(plan, stages=()))
    return recording.copy(data=integers), float(plan.stages[0].arrays["gain"])


def on_their_device(recording: xr.DataArray) -> xr.DataArray:
    """A kept recording for a pass on the device that computes its tiles, to which they are copied as they are kept.

    Parameters
    ----------
    recording
        From :func:`keep_recording`; any other, or one computed on the CPU, is returned as it is.
    """
    from ..kernels.lib.dispatch import to_device

    plan = recording_plan(recording)
    if not isinstance(plan.source, KeptSource) or plan.source.plan.device is None:
        return recording
    device = plan.source.plan.device
    moved = replace(plan, stages=()).then(
        Stage(to_device, dtype=plan.source.dtype, parameters={"device": device}, device=device)
    )
    for stage in plan.stages:
        moved = moved.then(stage)
    return recording.copy(data=to_dask(moved))
