"""Segments of one recording: a DataTree with one node per segment, accepted by steps like a single recording."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import Any

import xarray as xr

from .. import schema
from ..errors import ParameterError, RecordingError
from ..schema import TRACES
from ..unit_mark import size_steps, step_names

#: Coordinates that the segments of one recording share, besides their channels.
_ALIKE = ("x", "y", "z", "probe", "shank", "group", "gain_to_uv", "offset_to_uv")


def tree_of(segments: Sequence[xr.DataArray]) -> xr.DataTree:
    """Nodes ``segment_0``, ``segment_1``, … each with ``traces``."""
    return xr.DataTree.from_dict(
        {f"segment_{i}": segment.to_dataset(name="traces") for i, segment in enumerate(segments)}
    )


def segments_of(recording: xr.DataArray | xr.DataTree) -> list[xr.DataArray]:
    """The segments of a recording in order; one for a DataArray.

    Raises
    ------
    TypeError
        If it is neither a DataArray nor a DataTree.
    RecordingError
        If no node of the tree holds ``traces``.
    """
    if isinstance(recording, xr.DataArray):
        return [recording]
    if not isinstance(recording, xr.DataTree):
        raise TypeError(f"expected a recording (DataArray, or DataTree of segments), got {type(recording).__name__}")
    nodes = [node for node in recording.subtree if TRACES.name in node.data_vars]
    if not nodes:
        raise RecordingError(f"no node of the tree holds 'traces'; it has {[node.path for node in recording.subtree]}")
    nodes.sort(key=lambda node: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", node.path)])
    return [node.dataset[TRACES.name] for node in nodes]


def each_segment(function: Callable[..., xr.DataArray]) -> Callable[..., Any]:
    """Extend a function of a recording to accept a DataTree of segments and return one.

    It is applied to the functions that are listed in the first block of ``__init__.pyi``.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> one, _ = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> tree = xephys.bandpass_filter(append_segments([one, one]), freq_min_hz=300)
    >>> tree["segment_1/traces"].dtype
    dtype('float32')
    """

    @wraps(function)
    def each(recording: Any, *args: Any, **parameters: Any) -> Any:
        if isinstance(recording, xr.DataTree):
            return _over_segments(function, recording, args, parameters)
        return function(recording, *args, **parameters)

    return each


def _over_segments(
    function: Callable[..., xr.DataArray], tree: xr.DataTree, args: Any, parameters: Mapping[str, Any]
) -> xr.DataTree:
    segments_of(tree)  # raises if the tree has no segments
    made = {
        node.path: function(node.dataset[TRACES.name], *args, **parameters).to_dataset(name=TRACES.name)
        for node in tree.subtree
        if TRACES.name in node.data_vars
    }
    result = xr.DataTree.from_dict(made, name=tree.name)
    result.attrs = dict(tree.attrs)
    return result


def check_alike(segments: Sequence[xr.DataArray]) -> None:
    """Refuse segments that cannot belong to one recording.

    Raises
    ------
    RecordingError
        If they differ in channels, their places or gains, sample type, unit, sampling frequency, or in the filters and
        the like that they went through.
    """
    first = segments[0]
    for number, segment in enumerate(segments[1:], start=1):
        for what, ours, theirs in (
            ("channels", segment.coords["channel"].values.tolist(), first.coords["channel"].values.tolist()),
            ("dtype", segment.dtype, first.dtype),
            ("sampling frequency", segment.attrs["sampling_frequency"], first.attrs["sampling_frequency"]),
            ("units", segment.attrs.get("units"), first.attrs.get("units")),
            ("steps", *(", ".join(step_names(size_steps(one))) or "none" for one in (segment, first))),
        ):
            if ours != theirs:
                raise RecordingError(
                    f"segment {number} has {what} {_short(ours)} and segment 0 has {_short(theirs)}; segments of one "
                    "recording must agree: convert or sort them one by one"
                )
        for name in _ALIKE:
            one, other = (set(s.coords) & {name} and s.coords[name].values.tolist() for s in (segment, first))
            if one != other:
                raise RecordingError(
                    f"the coordinate {name!r} of segment {number} is not that of segment 0; segments of one recording "
                    "have the same channels at the same places: convert or sort them one by one"
                )


def append_segments(recordings: Iterable[xr.DataArray | xr.DataTree]) -> xr.DataTree:
    """Combine recordings of the same channels as segments, each with its own time axis; nothing is copied.

    Parameters
    ----------
    recordings
        Recordings, or trees of segments, in the desired order.

    Returns
    -------
    DataTree with nodes ``segment_0``, ``segment_1``, …, as accepted by :func:`xephys.sort`,
    :func:`xephys.save_recording` and :func:`xephys.to_spikeinterface`.

    Raises
    ------
    RecordingError
        If they differ in channels, their places or gains, sample type, unit or sampling frequency.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> one, _ = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> two, _ = simulate_recording(duration_s=3, n_channels=8, n_units=2, seed=0)
    >>> list(append_segments([one, two]).children)
    ['segment_0', 'segment_1']
    """
    segments = [segment for recording in _several(recordings) for segment in segments_of(recording)]
    for segment in segments:
        schema.validate_recording(segment)
    check_alike(segments)
    return tree_of(segments)


def _several(recordings: Iterable[xr.DataArray | xr.DataTree]) -> list[xr.DataArray | xr.DataTree]:
    if isinstance(recordings, (xr.DataArray, xr.DataTree)):
        raise TypeError("expected several recordings in a list, got one; give [one, two, ...]")
    several = list(recordings)
    if not several:
        raise ParameterError("no recording is given; give at least one, in a list")
    return several


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) < 80 else f"{text[:60]} …"
