"""Part of a recording, in time or in channels, that keeps its plan: still one task per chunk."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from . import schema
from .errors import ParameterError
from .graph.build import plan_of, select_channels_stage, to_dask


def time_slice(recording: xr.DataArray, start_s: float | None = None, stop_s: float | None = None) -> xr.DataArray:
    """The samples of ``[start_s, stop_s)``, lazily.

    A plain ``recording.sel(time=slice(...))`` gives the same values, with one more task per chunk. Here the range of
    the plan itself is narrowed; filters still see what lies beyond the range, so the values do not change.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    start_s, stop_s
        On the recording's own clock, in seconds; its beginning and end if None.

    Returns
    -------
    The part, with its absolute times, still lazy; one task per chunk touched.

    Raises
    ------
    ParameterError
        If the range is empty or does not lie inside the recording.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> part = time_slice(recording, 1.0, 1.01)
    >>> part.sizes["time"], float(part.time[0])
    (300, 1.0)
    """
    info = schema.validate_recording(recording)
    first = 0 if start_s is None else sample_at(recording, start_s)
    last = info.n_samples if stop_s is None else sample_at(recording, stop_s)
    if not 0 <= first < last <= info.n_samples:
        origin = start_time_s(recording)
        raise ParameterError(
            f"start_s={start_s}, stop_s={stop_s} is no range inside the recording, which lasts from {origin:g} to "
            f"{origin + info.n_samples / info.sampling_frequency:g} s; give start_s < stop_s within it"
        )
    part = recording.isel(time=slice(first, last))
    plan = plan_of(recording)
    if plan is None:
        return part
    edges = plan.starts
    inside = edges[(edges > plan.start + first) & (edges < plan.start + last)]
    borders = np.concatenate([[plan.start + first], inside, [plan.start + last]])
    chunks = tuple(int(n) for n in np.diff(borders))
    return part.copy(data=to_dask(plan.narrowed(plan.start + first, chunks)))


def start_time_s(recording: xr.DataArray) -> float:
    """Time of the first sample on the recording's own clock; 0 where it has none."""
    return float(recording.coords["time"][0]) if "time" in recording.coords else 0.0


def sample_at(recording: xr.DataArray, time_s: float) -> int:
    """Number of the sample nearest to a time, counted from the first; may lie outside the recording."""
    if "time" in recording.coords and not isinstance(recording.xindexes.get("time"), xr.indexes.RangeIndex):
        return int(np.searchsorted(recording.coords["time"].values, time_s))
    return round((float(time_s) - start_time_s(recording)) * float(recording.attrs["sampling_frequency"]))


def select_channels(recording: xr.DataArray, channel_ids: Any) -> xr.DataArray:
    """Some of the channels, in the order given, lazily.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    channel_ids
        Identifiers, as in the coordinate ``channel``.

    Returns
    -------
    The channels with their coordinates, still lazy; one task per chunk.

    Raises
    ------
    ParameterError
        If no channel is given, one does not exist, or one is given twice.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> ids = recording.channel.values[[5, 2]]
    >>> select_channels(recording, ids).sizes["channel"]
    2
    """
    schema.validate_recording(recording)
    known = recording.channel.values
    place = {identifier: k for k, identifier in enumerate(known.tolist())}
    wanted = np.atleast_1d(np.asarray(channel_ids)).tolist()
    missing = [str(w) for w in wanted if w not in place]
    if missing:
        raise ParameterError(
            f"channels {', '.join(missing[:8])} do not exist; the {len(known)} channels are {known[0]} to {known[-1]}"
        )
    if not wanted or len(set(wanted)) < len(wanted):
        raise ParameterError(
            f"{len(wanted)} channels are given, {len(set(wanted))} different; give each wanted one once"
        )
    indices = np.array([place[w] for w in wanted], np.int64)
    part = recording.isel(channel=indices)
    plan = plan_of(recording)
    return part if plan is None else part.copy(data=to_dask(plan.then(select_channels_stage(plan, indices))))
