"""Several segments of one recording: a DataTree with a node for each, and back to a list."""

from __future__ import annotations

import re
from collections.abc import Sequence

import xarray as xr

from ..errors import RecordingError
from ..schema import TRACES


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
