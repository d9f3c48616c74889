"""Join segments on one time axis without copying them, and split them again."""

from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np
import xarray as xr

from .. import schema
from ..calls import operation
from ..errors import ParameterError, RecordingError
from ..graph.compose.join import join_arrays, joined_starts
from ..per_channel import bad_channels_of
from ..schema import SEGMENT_START, time_coordinate
from ..unit_mark import carry_unit
from .clock import on_segment_axis, start_time_s
from .segments import append_segments, segments_of, tree_of
from .slicing import sample_slice
from .stages import as_lazy, recording_plan

#: Attribute of a joined recording: lengths of its segments and of the bridges between them, in samples, as JSON.
JOINED = "joined_segments"


def concatenate_segments(
    recordings: xr.DataTree | Iterable[xr.DataArray | xr.DataTree], *, gap_ms: float = 0.0
) -> xr.DataArray:
    """Join segments one after the other on a new time axis from 0 on, lazily; nothing is copied.

    Parameters
    ----------
    recordings
        A tree of segments, or recordings in the desired order.
    gap_ms
        Duration of a bridge between two segments, over which the mirror image of the end of one fades into that of the
        start of the next, so that filters meet no step. Without a bridge, filter before joining.

    Returns
    -------
    One recording; one task per chunk if the segments come from files. :func:`split_segments` splits it again, and
    :func:`xephys.split_sorting` splits a sorting of it.

    Raises
    ------
    ParameterError
        If the gap is negative.
    RecordingError
        If the segments differ, as in :func:`xephys.append_segments`.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> one, _ = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> two, _ = simulate_recording(duration_s=3, n_channels=8, n_units=2, seed=0)
    >>> concatenate_segments([one, two], gap_ms=10).sizes["time"] / 30_000
    5.01
    """
    if not 0 <= gap_ms < np.inf:
        raise ParameterError(f"gap_ms is {gap_ms}; give milliseconds, 0 or more")
    segments = segments_of(append_segments([recordings] if isinstance(recordings, xr.DataTree) else recordings))
    first, rate = segments[0], float(segments[0].attrs["sampling_frequency"])
    bridge = round(gap_ms * 1e-3 * rate)
    plans = [recording_plan(segment) for segment in segments]
    data = join_arrays(
        [as_lazy(segment) for segment in segments], plans, bridge=bridge, chunk_samples=max(plans[0].chunks)
    )
    joined = first.isel(time=slice(0, 0)).drop_vars("time", errors="ignore")
    joined = xr.DataArray(data, dims=first.dims, coords=joined.coords, attrs=dict(first.attrs), name=first.name)
    if any("bad" in segment.coords for segment in segments):
        bad = np.any([bad_channels_of(segment) for segment in segments], axis=0)
        joined = joined.assign_coords(bad=("channel", bad))
    lengths = [segment.sizes["time"] for segment in segments]
    layout = {"n_samples": lengths, "bridge": bridge, "start_s": [start_time_s(segment) for segment in segments]}
    layout["segment_start_s"] = [segment.attrs.get(SEGMENT_START) for segment in segments]
    joined.attrs |= {SEGMENT_START: 0.0, JOINED: json.dumps(layout)}
    return carry_unit(joined.assign_coords(time_coordinate(len(data), rate)), *segments)


@operation
def split_segments(recording: xr.DataArray) -> xr.DataTree:
    """Split a recording that :func:`concatenate_segments` joined, also after filters and other steps, lazily.

    Returns
    -------
    DataTree of the segments, each on its original time axis. A segment that had a time for each sample keeps its first
    time and gets regular times from there.

    Raises
    ------
    RecordingError
        If it was not joined, or samples have been removed since.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> one, _ = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> tree = split_segments(concatenate_segments([one, one]))
    >>> bool((tree["segment_1/traces"] == one).all())
    True
    """
    schema.validate_recording(recording)
    layout = joined_layout(recording)
    starts = joined_starts(layout["n_samples"], layout["bridge"])
    if recording.sizes["time"] != starts[-1]:
        raise RecordingError(
            f"the recording has {recording.sizes['time']} samples and was joined of {starts[-1]}: samples were taken "
            "from it since; split it before that"
        )
    rate = float(recording.attrs["sampling_frequency"])
    segments = []
    for number, (start, n) in enumerate(zip(starts[:-1], layout["n_samples"], strict=True)):
        part = sample_slice(recording, start, start + n).drop_vars("time")
        origin, begins = layout["segment_start_s"][number], layout["start_s"][number]
        part.attrs.pop(JOINED)
        part.attrs[SEGMENT_START] = begins if origin is None else origin
        first = round((begins - part.attrs[SEGMENT_START]) * rate)
        part = part.assign_coords(time_coordinate(n, rate, part.attrs[SEGMENT_START], first=first))
        segments.append(on_segment_axis(part))
    return tree_of(segments)


def joined_layout(recording: xr.DataArray) -> dict[str, list[float]]:
    """Layout of a joined recording: lengths of the segments and of the bridges, and the first time of each segment."""
    if JOINED not in recording.attrs:
        raise RecordingError("this recording was not joined by concatenate_segments, so there is nothing to split")
    layout: dict[str, list[float]] = json.loads(recording.attrs[JOINED])
    return layout
