"""Convert counts to microvolts, or apply any other affine change of scale."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from .. import schema
from ..axis_labels import check_trace_units
from ..calls import operation
from ..errors import ParameterError, RecordingError
from ..graph.plan import Stage
from ..per_channel import of_these_channels
from ..recording.stages import extend_recording
from ..unit_mark import check_unit_stated


@operation
def scale(recording: xr.DataArray, *, gain: Any = 1.0, offset: Any = 0.0, units: str | None = None) -> xr.DataArray:
    """Multiply by a gain and add an offset, lazily.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    gain, offset
        One number, or one per channel.
    units
        Unit of the result; that of the recording if None. Alone, it states the unit of traces that were changed by
        other means, such as arithmetic: ``scale(0.195 * recording, units="uV")``.

    Returns
    -------
    Scaled traces, float32, still lazy.

    Raises
    ------
    ParameterError
        If the shape of gain or offset does not fit, or a value is not finite.
    RecordingError
        If the unit is another unit of voltage than microvolts, or these are spelled differently.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> scale(recording, gain=2.0).dtype
    dtype('float32')
    """
    from ..kernels.preprocess import scale as kernel

    n = schema.validate_recording(recording).n_channels
    if units is not None:
        check_trace_units(units)
    arrays = {}
    wide = recording.dtype.kind == "u" and recording.dtype.itemsize >= 4  # float32 cannot hold the offsets of these
    for name, value in (("gain", gain), ("offset", offset)):
        values = np.asarray(of_these_channels(recording, value, what=name), np.float64 if wide else np.float32)
        if values.shape not in ((), (n,)) or not np.isfinite(values).all():
            raise ParameterError(
                f"{name} has shape {values.shape}; give one finite number, or one for each of {n} channels"
            )
        arrays[name] = np.ascontiguousarray(np.broadcast_to(values, (n,)))
    return extend_recording(recording, Stage(kernel.scale, dtype=np.dtype("f4"), arrays=arrays), units=units)


@operation
def to_uv(recording: xr.DataArray) -> xr.DataArray:
    """Convert counts to microvolts with the recording's own gains and offsets, lazily.

    A recording that is already in microvolts is returned unchanged.

    Raises
    ------
    RecordingError
        If the channels have no gain, it is 0 for some, or the traces are no counts, or were changed by arithmetic.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> to_uv(recording).attrs["units"]
    'uV'
    """
    info = schema.validate_recording(recording)
    if info.units == "uV":
        return recording
    if info.units != "counts":
        raise RecordingError(
            f"the traces are in {info.units!r}, and gains turn counts into microvolts; convert before the step that "
            "changed the unit, such as whiten or zscore"
        )
    check_unit_stated(recording, why="conversion to microvolts")
    if "gain_to_uv" not in recording.coords:
        raise RecordingError(
            "the channels have no gain, so counts cannot become microvolts; give gain_to_uv= to open_recording, "
            "or assign the coordinate gain_to_uv on channel"
        )
    gain = recording.coords["gain_to_uv"].values
    if not (np.isfinite(gain) & (gain != 0)).all():
        bad = recording.channel.values[~np.isfinite(gain) | (gain == 0)]
        raise RecordingError(
            f"gain_to_uv is 0 or not finite for {len(bad)} of {len(gain)} channels, such as {bad[0]}, and their traces "
            "would be lost; assign the true gains (coordinate gain_to_uv on channel), or leave these channels out"
        )
    offset = recording.coords["offset_to_uv"].values if "offset_to_uv" in recording.coords else 0.0
    return scale(recording, gain=gain, offset=offset, units="uV")
