"""Sort segments jointly: join them, sort them as one recording, and split the sorting by segment."""

from __future__ import annotations

import xarray as xr

from ..curate.segments import spread_over_segments
from ..graph.compose.join import joined_starts
from ..recording.axes import SegmentAxes
from ..recording.joined import concatenate_segments, joined_layout
from ..recording.segments import segments_of

#: Time between two segments, longer than any filter rings: see :func:`xephys.concatenate_segments`.
GAP_MS = 50.0


def join_segments(recording: xr.DataArray | xr.DataTree) -> xr.DataArray:
    """What is sorted of a recording: the recording itself, or its segments joined in a row.

    Raises
    ------
    RecordingError
        If the segments differ in channels, their places or gains, sample type, unit or sampling frequency.
    """
    segments = segments_of(recording)
    return segments[0] if len(segments) == 1 else concatenate_segments(segments, gap_ms=GAP_MS)


def sorting_of_segments(
    sorting: xr.DataTree, recording: xr.DataArray | xr.DataTree, joined: xr.DataArray
) -> xr.DataTree:
    """The sorting of the ``joined`` recording, split by segment if there are several."""
    segments = segments_of(recording)
    if len(segments) == 1:
        return sorting
    layout = joined_layout(joined)
    starts = joined_starts(layout["n_samples"], layout["bridge"])
    return spread_over_segments(sorting, SegmentAxes.of(recording), starts=starts)
