"""Convert samples to other numeric types."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import DTypeLike, NDArray

from ... import schema
from ...calls import operation
from ...checks import sample_type
from ...errors import ParameterError, RecordingError
from ...graph.plan import Stage
from ...per_channel import of_these_channels
from ...recording.excerpts import Excerpts, excerpts_of_these
from ...recording.stages import extend_recording


@operation
def astype(recording: xr.DataArray, *, dtype: DTypeLike) -> xr.DataArray:
    """Convert the samples to another type, lazily.

    Conversion to integers rounds half to even and clips to the range of the type. Xarray's ``recording.astype`` would
    truncate and wrap, and would lose the recording's plan.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    dtype
        Any integer or real type of NumPy.

    Returns
    -------
    Traces of that type, same coordinates, chunks and unit, still lazy; one task per chunk.

    Raises
    ------
    ParameterError
        If the type is not an integer or real type.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> astype(recording, dtype="int32").dtype
    dtype('int32')
    """
    from ...kernels.preprocess.scale import astype as kernel

    schema.validate_recording(recording)
    wanted = sample_type(dtype)
    return extend_recording(recording, Stage(kernel, dtype=wanted, parameters={"dtype": wanted.str}))


@operation
def unsigned_to_signed(recording: xr.DataArray, *, bit_depth: int | None = None) -> xr.DataArray:
    """Convert unsigned counts to signed ones of the same width by subtracting half the range, lazily.

    The coordinate ``offset_to_uv`` is adjusted, so that the values in microvolts do not change.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``, unsigned integers.
    bit_depth
        Number of bits of the converter; that of the type if None.

    Returns
    -------
    Traces of the signed type, same chunks and unit, still lazy; one task per chunk.

    Raises
    ------
    RecordingError
        If the traces are not unsigned integers.
    ParameterError
        If ``bit_depth`` is not between 1 and the bits of the type.

    Examples
    --------
    >>> import xephys
    >>> counts = xephys.make_recording(np.full((300, 2), 2048, "uint16"), sampling_frequency=30_000.0)
    >>> signed = unsigned_to_signed(counts, bit_depth=12)
    >>> signed.dtype, int(signed[0, 0])
    (dtype('int16'), 0)
    """
    from ...kernels.preprocess.values.convert import unsigned_to_signed as kernel

    schema.validate_recording(recording)
    if recording.dtype.kind != "u":
        raise RecordingError(f"traces are {recording.dtype}; only unsigned integers have half a range to subtract")
    bits = 8 * recording.dtype.itemsize
    depth = bits if bit_depth is None else bit_depth
    if not 1 <= depth <= bits:
        raise ParameterError(f"bit_depth is {bit_depth!r}; it must be a number from 1 to {bits} for {recording.dtype}")
    stage = Stage(kernel, dtype=np.dtype(f"i{recording.dtype.itemsize}"), parameters={"bit_depth": int(depth)})
    return _with_offset(extend_recording(recording, stage), np.full(recording.sizes["channel"], 1 << (depth - 1)))


@operation
def estimate_lsb(recording: xr.DataArray, *, excerpts: Excerpts | None = None, seed: int = 0) -> xr.Dataset:
    """Find the step between neighboring counts if a file stores multiples of a number above 1. Computes.

    Parameters
    ----------
    recording
        Traces as recorded, integers.
    excerpts
        Excerpts of these same traces, from :func:`sample_traces`; drawn here if None.
    seed
        Seed for drawing them.

    Returns
    -------
    Dataset with ``lsb`` (one number) and ``center`` (channel), a count of each channel near its median.

    Raises
    ------
    RecordingError
        If the traces are not integers.

    Examples
    --------
    >>> import xephys
    >>> counts = 12 * np.random.default_rng(0).integers(-9, 9, (3000, 2)).astype("int16")
    >>> int(estimate_lsb(xephys.make_recording(counts, sampling_frequency=30_000.0)).lsb)
    12
    """
    from ...kernels.preprocess.values.convert import largest_step

    schema.validate_recording(recording)
    if recording.dtype.kind not in "iu":
        raise RecordingError(f"traces are {recording.dtype}; only counts have a smallest step: use them as recorded")
    lsb, middle = largest_step(np.concatenate(excerpts_of_these(recording, excerpts, seed=seed)))
    return xr.Dataset(
        {"lsb": max(lsb, 1), "center": ("channel", middle)}, coords={"channel": recording.coords["channel"].variable}
    )


@operation
def correct_lsb(recording: xr.DataArray, *, lsb: xr.Dataset) -> xr.DataArray:
    """Divide counts that are multiples of a larger step by that step, lazily.

    Gains and offsets are adjusted, so that the values in microvolts do not change.

    Parameters
    ----------
    recording
        Traces as recorded, integers.
    lsb
        From :func:`estimate_lsb`.

    Returns
    -------
    Traces of the same type, same chunks and unit, still lazy; one task per chunk. If the step is 1, the recording is
    returned unchanged.

    Raises
    ------
    RecordingError
        If the traces are not integers, or ``lsb`` belongs to other channels.

    Examples
    --------
    >>> import xephys
    >>> counts = 12 * np.random.default_rng(0).integers(-9, 9, (3000, 2)).astype("int16")
    >>> recording = xephys.make_recording(counts, sampling_frequency=30_000.0)
    >>> int(abs(correct_lsb(recording, lsb=estimate_lsb(recording))).max())
    9
    """
    from ...kernels.preprocess.values.convert import divide_steps

    info = schema.validate_recording(recording)
    if recording.dtype.kind not in "iu":
        raise RecordingError(f"traces are {recording.dtype}; only counts have a smallest step: use them as recorded")
    lsb = of_these_channels(recording, lsb, what="lsb")
    if "lsb" not in lsb or lsb["center"].shape != (info.n_channels,):
        raise RecordingError(f"lsb is not of these {info.n_channels} channels; make it with estimate_lsb(recording)")
    step = int(lsb["lsb"])
    if step == 1:
        return recording
    middle = lsb["center"].values.astype(np.int64)
    if recording.dtype.kind == "u":
        middle = middle % step  # values below the center must not become negative
    stage = Stage(divide_steps, dtype=recording.dtype, parameters={"lsb": step}, arrays={"center": middle})
    corrected = _with_offset(extend_recording(recording, stage), middle)
    if "gain_to_uv" in corrected.coords:
        corrected = corrected.assign_coords(gain_to_uv=corrected.coords["gain_to_uv"] * step)
    return corrected


def _with_offset(recording: xr.DataArray, subtracted: NDArray[Any]) -> xr.DataArray:
    """The recording with its offset to microvolts adjusted for what was subtracted from the counts, if it has gains."""
    if "gain_to_uv" not in recording.coords:
        return recording
    gain = recording.coords["gain_to_uv"]
    before = recording.coords["offset_to_uv"].values if "offset_to_uv" in recording.coords else 0.0
    return recording.assign_coords(offset_to_uv=("channel", before + gain.values * subtracted))
