"""Order channels by place, and pad a recording with channels of zeros."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from ... import schema
from ...calls import operation
from ...errors import ParameterError, RecordingError
from ...graph.build import to_dask
from ...graph.plan import Stage
from ...per_channel import bad_channels_of
from ...recording.slicing import select_channels
from ...recording.stages import recording_plan
from ...unit_mark import carry_unit


@operation
def depth_order(
    recording: xr.DataArray, *, dimensions: tuple[str, ...] = ("x", "y"), descending: bool = False
) -> xr.DataArray:
    """Order the channels by their place on the probe, lazily.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    dimensions
        Coordinates to order by, the last one being the primary key: ``("x", "y")`` orders by depth, and channels of one
        depth from left to right. Any coordinates of the channels are allowed, such as ``("y", "shank")``.
    descending
        Order from the top downwards.

    Returns
    -------
    The channels with their coordinates, still lazy; one task per chunk.

    Raises
    ------
    ParameterError
        If a coordinate does not exist.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> bool((depth_order(recording, descending=True).y.diff("channel") <= 0).all())
    True
    """
    schema.validate_recording(recording)
    known = [str(name) for name, c in recording.coords.items() if c.dims == ("channel",)]
    missing = [name for name in dimensions if name not in known]
    if missing or not dimensions:
        raise ParameterError(
            f"dimensions are {dimensions!r}; give coordinates of the channels, which are {', '.join(known)}"
        )
    for name in dimensions:
        values = recording.coords[name].values
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise RecordingError(f"some channels have no {name} (NaN), so they have no order; correct the coordinate")
    order = np.lexsort([recording.coords[name].values for name in dimensions])
    return select_channels(recording, recording.channel.values[order[::-1] if descending else order])


@operation
def pad_channels(recording: xr.DataArray, *, channel_ids: Any) -> xr.DataArray:
    """Extend a recording to a list of channels, filling those that it lacks with zeros, lazily.

    For tools that expect all channels of a probe of which only some were recorded.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    channel_ids
        Identifiers of all channels of the result, in order; each channel of the recording must be among them.

    Returns
    -------
    Traces of the same type and unit, still lazy; one task per chunk. Channel coordinates are kept if their type has a
    missing value (positions become NaN), and ``bad`` is set for the new channels.

    Raises
    ------
    ParameterError
        If a channel of the recording is missing, or one is given twice.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> padded = pad_channels(recording, channel_ids=[*recording.channel.values, "r1", "r2"])
    >>> padded.sizes["channel"], int(padded.bad.sum())
    (10, 2)
    """
    from ...kernels.preprocess.spatial.pad import place_channels

    schema.validate_recording(recording)
    wanted = np.asarray(channel_ids).astype(str)
    own = recording.channel.values.astype(str)
    lost = np.setdiff1d(own, wanted)
    if len(lost) or len(np.unique(wanted)) < len(wanted):
        what = f"channel {lost[0]} of the recording is missing" if len(lost) else "a channel is given twice"
        raise ParameterError(f"channel_ids name {len(wanted)} channels, and {what}; name each channel once")
    order = np.argsort(own)
    place = np.minimum(np.searchsorted(own[order], wanted), len(own) - 1)
    source = np.where(own[order][place] == wanted, order[place], -1).astype(np.int64)
    stage = Stage(place_channels, dtype=recording.dtype, arrays={"channels": source}, n_channels=len(wanted))
    data = to_dask(recording_plan(recording).then(stage))
    new = source < 0
    coords: dict[str, Any] = {}
    for name, coordinate in recording.coords.items():
        if coordinate.dims == ("channel",) and name != "channel" and coordinate.dtype.kind == "f":
            coords[str(name)] = ("channel", np.where(new, np.nan, coordinate.values[source]), coordinate.attrs)
    coords["bad"] = ("channel", new | bad_channels_of(recording)[source])
    padded = xr.DataArray(data, dims=("time", "channel"), coords={"channel": wanted} | coords, name="traces")
    if "time" in recording.coords:
        index = recording.xindexes.get("time")
        padded = padded.assign_coords(
            {"time": recording.coords["time"]} if index is None else xr.Coordinates.from_xindex(index)
        )
    padded.attrs = dict(recording.attrs)
    return carry_unit(padded, recording)
