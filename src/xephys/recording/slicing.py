"""Take part of a recording, in time or in channels, while keeping its plan: still one task per chunk."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .. import schema
from ..calls import operation
from ..checks import check_positive
from ..errors import ParameterError
from ..graph.build import plan_of, select_channels_stage, to_dask
from ..graph.compose.splice import SplicedSource, spread_starts
from ..graph.plan import regular_chunks
from ..graph.source import chunked_array
from ..graph.tasks import DaskSource
from ..per_channel import positions_of
from .clock import start_time_s


@operation
def time_slice(recording: xr.DataArray, start_s: float | None = None, stop_s: float | None = None) -> xr.DataArray:
    """The samples of ``[start_s, stop_s)``, lazily.

    ``recording.sel(time=slice(start_s, stop_s))`` gives the same values plus, following Xarray's convention, the sample
    at ``stop_s``, and adds one task per chunk. Here the range of the plan itself is narrowed. Filters still see what
    lies beyond the range, so the values do not change.

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
    for name, value in (("start_s", start_s), ("stop_s", stop_s)):
        if value is not None and not np.isfinite(value):
            raise ParameterError(f"{name} is {value}; give start_s < stop_s within the recording, or None for its end")
    first = 0 if start_s is None else sample_at(recording, start_s)
    last = info.n_samples if stop_s is None else sample_at(recording, stop_s)
    if not 0 <= first < last <= info.n_samples:
        origin = start_time_s(recording)
        raise ParameterError(
            f"start_s={start_s}, stop_s={stop_s} is not a range inside the recording, which lasts from {origin:g} to "
            f"{origin + info.n_samples / info.sampling_frequency:g} s; give start_s < stop_s within it"
        )
    return sample_slice(recording, first, last)


def sample_slice(recording: xr.DataArray, first: int, last: int) -> xr.DataArray:
    """The samples ``[first, last)``, counted from the recording's first one, as in :func:`time_slice`."""
    part = recording.isel(time=slice(first, last))
    plan = plan_of(recording)
    if plan is None:
        return part
    edges = plan.starts
    inside = edges[(edges > plan.start + first) & (edges < plan.start + last)]
    borders = np.concatenate([[plan.start + first], inside, [plan.start + last]])
    chunks = tuple(int(n) for n in np.diff(borders))
    return part.copy(data=to_dask(plan.narrowed(plan.start + first, chunks)))


@operation
def spread_slices(
    recording: xr.DataArray, *, total_s: float = 300.0, slice_duration_s: float = 10.0, fade_ms: float = 10.0
) -> xr.DataArray:
    """Splice excerpts that are spread evenly over a recording into a short one to learn from, lazily.

    Each excerpt fades into the next, so that filters meet no step. Times are those of the short recording, from 0 on.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``, from a file or in memory, with any transforms.
    total_s
        Total length of the excerpts. A recording that is no longer than this is returned unchanged.
    slice_duration_s
        Length of each excerpt; excerpts begin on whole seconds of the recording.
    fade_ms
        Time over which one excerpt fades into the next.

    Returns
    -------
    The short recording, still lazy; one task per chunk. Transforms are applied to the raw samples spliced together.

    Raises
    ------
    ParameterError
        If a length is not positive, or the array has no source (after arithmetic); save it first.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=60, n_channels=8, n_units=2, seed=0)
    >>> spread_slices(recording, total_s=10, slice_duration_s=2).sizes["time"] / 30_000
    10.0
    """
    info = schema.validate_recording(recording)
    check_positive(total_s=total_s, slice_duration_s=slice_duration_s, fade_ms=fade_ms)
    rate = info.sampling_frequency
    plan = plan_of(recording)
    if plan is None and recording.chunks is not None:
        raise ParameterError(
            "this recording is the result of arithmetic and has no source of its own, so that no part of it can be "
            "read alone; save it first (save_recording)"
        )
    first, stop = (0, info.n_samples) if plan is None else (plan.start, plan.stop)
    length = max(1, round(slice_duration_s * rate))
    n_stretches = max(1, round(total_s / slice_duration_s))
    grid = min(length, max(1, round(rate)))
    if n_stretches * (length + grid) >= info.n_samples:
        return recording
    starts = spread_starts(first, stop, n_stretches=n_stretches, length=length, grid=grid)
    fade = min(length, max(1, round(fade_ms * 1e-3 * rate)))
    if plan is None:
        whole = DaskSource(chunked_array(recording.data, chunk_samples=length))
        data = SplicedSource(whole, starts, length, fade).read(0, n_stretches * length)
    else:
        source = SplicedSource(plan.source, starts, length, fade)
        chunks = regular_chunks(source.n_samples, max(plan.chunks))
        data = to_dask(replace(plan, source=source, start=0, origin=0, chunks=chunks))
    part = recording.isel(time=slice(0, len(data))).copy(data=data).assign_attrs({schema.SEGMENT_START: 0.0})
    return part.drop_vars("time", errors="ignore").assign_coords(schema.time_coordinate(len(data), rate))


def sample_at(recording: xr.DataArray, time_s: float) -> int:
    """Number of the sample nearest to a time, counted from the first one; may lie outside the recording.

    A time in a gap between samples gives the first sample after the gap.
    """
    return int(samples_at(recording, np.array([time_s], np.float64))[0])


def samples_at(recording: xr.DataArray, times_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Numbers of the samples nearest to times; :func:`sample_at` for many times at once."""
    rate = float(recording.attrs["sampling_frequency"])
    if "time" in recording.coords and not schema.has_regular_clock(recording):
        times = recording.coords["time"].values
        after = np.searchsorted(times, times_s).astype(np.int64)
        # The nearest sample, as on a regular clock, but never one before a gap.
        late = np.where(after > 0, times_s - times[np.maximum(after - 1, 0)], np.inf)
        early = np.where(after < len(times), times[np.minimum(after, len(times) - 1)] - times_s, np.inf)
        return np.where((late < early) & (late <= 0.5 / rate), after - 1, after)
    return np.rint((times_s - start_time_s(recording)) * rate).astype(np.int64)


@operation
def select_channels(
    recording: xr.DataArray, channel_ids: Any = None, *, depth_um: Any = None, shank: Any = None, group: Any = None
) -> xr.DataArray:
    """Select channels by name or by place, lazily.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    channel_ids
        Identifiers from the coordinate ``channel``, in the desired order; all channels if None.
    depth_um
        Keep only channels between two depths ``(lowest, highest)`` along the probe, both included.
    shank, group
        Keep only channels of a shank or group, or of a list of them.

    Returns
    -------
    The channels with their coordinates, still lazy; one task per chunk.

    Raises
    ------
    ParameterError
        If no channel is left, one does not exist, or one is given twice.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> ids = recording.channel.values[[5, 2]]
    >>> select_channels(recording, ids).sizes["channel"]
    2
    >>> select_channels(recording, depth_um=(0, 20)).y.values.tolist()
    [0.0, 0.0, 20.0, 20.0]
    """
    schema.validate_recording(recording)
    known = recording.channel.values
    place = {identifier: k for k, identifier in enumerate(known.tolist())}
    inside = _at_place(recording, depth_um=depth_um, shank=shank, group=group)
    wanted = known.tolist() if channel_ids is None else np.atleast_1d(np.asarray(channel_ids)).tolist()
    if np.asarray(wanted).dtype.kind == "b" and known.dtype.kind != "b":
        raise ParameterError(
            "channel_ids is a mask; give names of channels, such as recording.channel.values[mask], or take channels "
            "by position: recording.isel(channel=mask)"
        )
    if isinstance(channel_ids, slice):
        raise ParameterError(
            f"channel_ids is {channel_ids}; give identifiers, or take channels by position: recording.isel(channel=...)"
        )
    missing = [str(w) for w in wanted if w not in place]
    if missing:
        raise ParameterError(
            f"channels {', '.join(missing[:8])} do not exist; the {len(known)} channels are {known[0]} to {known[-1]}"
        )
    if not wanted or len(set(wanted)) < len(wanted):
        raise ParameterError(
            f"{len(wanted)} channels are given, {len(set(wanted))} different; give each wanted one once"
        )
    indices = np.array([place[w] for w in wanted if inside[place[w]]], np.int64)
    if not len(indices):
        raise ParameterError(f"none of the {len(wanted)} channels lies there; widen depth_um, shank or group")
    part = recording.isel(channel=indices)
    plan = plan_of(recording)
    return part if plan is None else part.copy(data=to_dask(plan.then(select_channels_stage(plan, indices))))


def _at_place(recording: xr.DataArray, *, depth_um: Any, shank: Any, group: Any) -> NDArray[np.bool_]:
    """Mask of the channels within a range of depths, on some shanks and in some groups."""
    inside = np.ones(recording.sizes["channel"], bool)
    if depth_um is not None:
        try:
            low, high = (float(edge) for edge in depth_um)
        except (TypeError, ValueError) as error:
            raise ParameterError(f"depth_um is {depth_um!r}; give two depths in µm, such as (0, 500)") from error
        if not low <= high:
            raise ParameterError(f"depth_um is {depth_um!r}; give the lower depth first")
        depth = positions_of(recording, why="a choice by depth")[:, 1]
        inside &= (depth >= low) & (depth <= high)
    for name, wanted in (("shank", shank), ("group", group)):
        if wanted is None:
            continue
        if name not in recording.coords:
            raise ParameterError(f"{name} is {wanted!r}, and this recording's channels have no {name}; leave it out")
        known, given = recording.coords[name].values, np.atleast_1d(np.asarray(wanted))
        names = sorted(set(map(str, known.tolist())))
        missing = [str(one) for one in given.tolist() if str(one) not in names]
        if missing:
            raise ParameterError(f"{name} {', '.join(missing)} does not exist; there is {', '.join(names)}")
        inside &= np.isin(known.astype(str), given.astype(str))
    return inside
