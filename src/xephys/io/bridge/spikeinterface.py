"""Convert recordings and sortings to and from SpikeInterface, with everything they carry."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import xarray as xr

from ...attributes import from_text
from ...graph.build import root_plan, to_dask
from ...graph.plan import Plan
from ...graph.source import BinarySource, chunked_array
from ...recording.clock import first_by_time, segment_start_s
from ...recording.segments import check_alike, segments_of, tree_of
from ...schema import SEGMENT_START, clock_of, make_recording, validate_recording
from ...unit_mark import check_unit_stated
from ..read.probe import probe_coordinates, probegroup_of
from ..read.properties import coordinates_of_properties, properties_of
from ..read.si_source import source_of
from ..store.encode import NotDeclarative, encode_array, encode_plan, encoded_if_plain, plain


def from_spikeinterface(obj: Any, *, chunk_duration_s: float = 2.0) -> xr.DataArray | xr.DataTree:
    """A SpikeInterface recording, sorting or analyzer as a lazy recording or a sorting tree.

    Only metadata are read. If the samples are in a plain file, tasks read that file directly; otherwise each task calls
    the recording's own ``get_traces``.

    Parameters
    ----------
    obj
        A recording, a sorting, or a ``SortingAnalyzer``, whose extensions become nodes ``/analysis/NAME``.
    chunk_duration_s
        Length of a chunk.

    Returns
    -------
    A DataArray for a recording of one segment, a DataTree with nodes ``segment_0``, … for several, or a sorting tree.

    Raises
    ------
    TypeError
        If it is neither, or a recording that cannot be sent to other processes.

    Examples
    --------
    >>> import spikeinterface.core as si
    >>> rec = from_spikeinterface(si.generate_recording(num_channels=4, durations=[2.0], seed=0))
    >>> rec.dims, rec.sizes["channel"], "x" in rec.coords
    (('time', 'channel'), 4, True)
    """
    from spikeinterface.core import BaseRecording, BaseSorting, SortingAnalyzer

    if isinstance(obj, BaseSorting):
        from .si_sorting import sorting_tree_of

        return sorting_tree_of(obj)
    if isinstance(obj, SortingAnalyzer):
        from ..read.si_results import analyzer_tree

        return analyzer_tree(obj)
    if not isinstance(obj, BaseRecording):
        raise TypeError(
            f"expected a SpikeInterface recording, sorting or analyzer, got {type(obj).__module__}.{type(obj).__name__}"
        )
    segments = [_segment(obj, index, chunk_duration_s) for index in range(obj.get_num_segments())]
    return segments[0] if len(segments) == 1 else tree_of(segments)


def to_spikeinterface(obj: xr.DataArray | xr.DataTree) -> Any:
    """Convert a lazy recording to a SpikeInterface recording, or a sorting tree to a SpikeInterface sorting.

    The recording computes the requested range tile by tile, in the calling thread. A recording from files survives
    JSON, pickle and SpikeInterface's process pool; one computed from arrays in memory survives only the last two, and
    its data travel with it.

    Raises
    ------
    TypeError
        If it is neither a recording nor a sorting.
    RecordingError
        If segments differ in channels, type or sampling frequency.

    Examples
    --------
    >>> rec = make_recording(np.zeros((3000, 2), "int16"), sampling_frequency=30_000.0)
    >>> to_spikeinterface(rec).get_num_channels()
    2
    """
    if isinstance(obj, xr.DataTree) and "spikes" in obj.children:
        from .si_sorting import si_sorting_of

        return si_sorting_of(obj)
    from .si_recording import XarrayRecording

    segments = segments_of(obj)
    check_alike(segments)
    first = segments[0]
    validate_recording(first)
    for segment in segments:
        check_unit_stated(segment, why="a recording for SpikeInterface")
    probegroup = probegroup_of(first)
    return XarrayRecording(
        segments=[_encoded_segment(segment) for segment in segments],
        channel_ids=encode_array(first.coords["channel"].values),
        properties={name: encoded_if_plain(values) for name, values in si_properties_of(first).items()},
        annotations=dict(from_text(first.attrs.get("annotations"), {})),
        attributes=plain({k: v for k, v in first.attrs.items() if k not in {"annotations", "probegroup"}}),
        probegroup=None if probegroup is None else plain(probegroup.to_dict(array_as_list=True)),
    )


def si_properties_of(recording: xr.DataArray) -> dict[str, Any]:
    """Properties for SpikeInterface, without gains if the traces are already in µV: it must not scale them again."""
    properties = properties_of(recording)
    if recording.attrs.get("units") == "uV" and "gain_to_uV" in properties:
        properties["gain_to_uV"] = np.ones(recording.sizes["channel"])
        properties["offset_to_uV"] = np.zeros(recording.sizes["channel"])
    return properties


def coordinates_of(recording: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Coordinates and attributes made from a SpikeInterface recording's properties, probe and annotations."""
    properties = {key: recording.get_property(key) for key in recording.get_property_keys()}
    coordinates, attributes = coordinates_of_properties(properties)
    if recording.has_probe() and recording.get_probegroup().get_contact_count():
        positions, probe = probe_coordinates(recording.get_probegroup())
        coordinates, attributes = positions | coordinates, probe | attributes
    attributes["annotations"] = {key: recording.get_annotation(key) for key in recording.get_annotation_keys()}
    return coordinates, attributes


def _segment(recording: Any, index: int, chunk_duration_s: float) -> xr.DataArray:
    from .si_recording import XarrayRecording

    rate = float(recording.get_sampling_frequency())
    chunk_samples = max(1, round(chunk_duration_s * rate))
    coordinates, attributes = coordinates_of(recording)
    scaled = "gain_to_uv" in coordinates
    units = "counts" if scaled or np.dtype(recording.get_dtype()).kind in "iu" else "uV"
    if isinstance(recording, XarrayRecording):
        attributes = {**recording.attributes, **attributes}
        attributes.pop(SEGMENT_START, None)  # this is the value of the first segment
        known = recording._kwargs["segments"][index].get(SEGMENT_START)
        attributes |= {} if known is None else {SEGMENT_START: known}
        if "is_filtered" not in recording._kwargs["annotations"] and not recording.is_filtered():
            del attributes["annotations"]["is_filtered"]  # SpikeInterface's default, not set by us
        units = attributes.pop("units")
        data = to_dask(recording.segments[index].plan.rechunked(chunk_samples))
    else:
        found = source_of(recording, index)
        if isinstance(found, np.ndarray):
            data = chunked_array(found, chunk_samples=chunk_samples)
        else:
            data = to_dask(Plan.of_source(found, sampling_frequency=rate, chunk_samples=chunk_samples))
    lazy = make_recording(
        data,
        sampling_frequency=rate,
        channel_ids=recording.get_channel_ids(),
        start_s=float(recording.get_start_time(segment_index=index)),
        units=units,
        coordinates=coordinates,
        attributes=attributes,
    )
    if recording.has_time_vector(segment_index=index):
        lazy = with_times(lazy, _time_vector(recording, index), chunk_samples=chunk_samples)
    elif getattr(recording.segments[index], "_t_start", 0.0) is None and recording.get_start_time(index) == 0:
        lazy.attrs["start_known"] = False
    return lazy


def _time_vector(recording: Any, index: int) -> Any:
    """The times of a segment: its own vector (memory-mapped or in Zarr), or one derived from that of its parent."""
    own = getattr(recording.segments[index], "_time_vector", None)
    if own is not None and np.shape(own) == (recording.get_num_samples(index),):
        return own
    return np.asarray(recording.get_times(segment_index=index), np.float64)


def with_times(recording: xr.DataArray, times: Any, *, chunk_samples: int) -> xr.DataArray:
    """The recording with a time for each sample instead of a regular clock: a lazy coordinate without an index."""
    from ..read.si_source import times_source

    found = times_source(times)
    if isinstance(found, BinarySource):
        data = to_dask(Plan.of_source(found, sampling_frequency=1.0, chunk_samples=chunk_samples))[:, 0]
    else:
        data = chunked_array(found, chunk_samples=chunk_samples)
    lazy = xr.Coordinates({"time": xr.Variable("time", data, fastpath=True)}, indexes={})
    return recording.drop_vars("time").assign_coords(lazy)


def times_of(recording: xr.DataArray) -> tuple[float | None, Any | None]:
    """The time of the first sample in seconds, or the time of every sample if there is no regular clock.

    None for a start that SpikeInterface did not know either and that is 0 here.
    """
    if "time" not in recording.coords:
        return None, None
    clock = clock_of(recording)
    if clock is not None:
        start_s = clock.start
        return (None if start_s == 0 and not recording.attrs.get("start_known", True) else start_s), None
    return None, np.asarray(recording.coords["time"].values, np.float64)


def _encoded_segment(segment: xr.DataArray) -> dict[str, Any]:
    info = validate_recording(segment)
    start_s, times = times_of(segment)
    data = segment.data
    if not hasattr(data, "chunks"):
        data = chunked_array(data, chunk_samples=info.n_samples)
    plan: Any = root_plan(data, sampling_frequency=info.sampling_frequency, origin=first_by_time(segment))
    with contextlib.suppress(NotDeclarative):  # it stays a plan, which can be pickled but not written as JSON
        plan = encode_plan(plan)
    return {
        "plan": plan,
        "start_s": start_s,
        "times": None if times is None else encode_array(times),
        SEGMENT_START: segment_start_s(segment),
    }
