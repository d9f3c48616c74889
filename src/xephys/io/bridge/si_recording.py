"""A lazy recording behind SpikeInterface's interface. It subclasses SpikeInterface's classes: import it on demand."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

import numpy as np
from probeinterface import ProbeGroup
from spikeinterface.core import BaseRecording, BaseRecordingSegment

from ...graph.build import to_dask
from ...graph.events import compute
from ...graph.plan import Array, Plan
from ..store.encode import decode_array, decode_plan

#: Size of the cache of computed tiles per segment: SpikeInterface reads overlapping windows.
CACHE_BYTES = 128 * 2**20


class XarrayRecording(BaseRecording):
    """A lazy recording of this package behind SpikeInterface's interface.

    Built by :func:`xephys.to_spikeinterface`. Its keyword arguments describe it completely. For recordings from files
    they are plain JSON, so that the recording can be dumped, pickled and sent to SpikeInterface's worker processes. A
    recording in memory can only be pickled, together with its data.

    Parameters
    ----------
    segments
        One dict each: ``plan`` (encoded, or a :class:`~xephys.graph.plan.Plan`), ``start_s``, and ``times`` (encoded,
        or None).
    channel_ids, properties
        Encoded arrays.
    annotations, attributes
        Plain dicts; the attributes are those of the Xarray object.
    probegroup
        ProbeInterface dict, or None.
    """

    def __init__(
        self,
        segments: list[dict[str, Any]],
        channel_ids: dict[str, Any],
        properties: dict[str, Any],
        annotations: dict[str, Any],
        attributes: dict[str, Any],
        probegroup: dict[str, Any] | None,
    ) -> None:
        plans = [_plan(segment["plan"]) for segment in segments]
        rate, dtype = plans[0].sampling_frequency, plans[0].dtype
        BaseRecording.__init__(self, rate, decode_array(channel_ids), dtype)
        for plan, segment in zip(plans, segments, strict=True):
            times = None if segment["times"] is None else decode_array(segment["times"])
            self.add_recording_segment(XarrayRecordingSegment(plan, segment["start_s"], times))
        for key, values in properties.items():
            self.set_property(key, decode_array(values))
        self.annotate(**annotations)
        if probegroup is not None:
            group = ProbeGroup.from_dict(probegroup)
            if "group" in properties:
                self._probegroup = group
            else:
                self.set_probegroup(group, check_overlap=False)  # probes may share a place, each on its own axes
        self.attributes = attributes
        in_memory = any(isinstance(segment["plan"], Plan) for segment in segments)
        self._serializability["json"] = not (in_memory or any(isinstance(v, np.ndarray) for v in properties.values()))
        # An analyzer would pickle the data into a form that Zarr's codecs refuse to open. Without this flag,
        # SpikeInterface asks for the recording again (set_temporary_recording), as it does for its own recordings in
        # memory.
        self._serializability["pickle"] = not in_memory
        self._kwargs = {
            "segments": segments,
            "channel_ids": channel_ids,
            "properties": properties,
            "annotations": annotations,
            "attributes": attributes,
            "probegroup": probegroup,
        }

    def dump_to_pickle(self, *args: Any, **options: Any) -> None:
        """Also dump recordings in memory: dumping includes the data, and opening the pickle requires trust."""
        known = self._serializability["pickle"]
        self._serializability["pickle"] = True
        try:
            BaseRecording.dump_to_pickle(self, *args, **options)
        finally:
            self._serializability["pickle"] = known


class XarrayRecordingSegment(BaseRecordingSegment):
    """One segment; reads the requested range, tile by tile, in the calling thread."""

    def __init__(self, plan: Plan, start_s: float | None, times: Array | None) -> None:
        if times is None:
            BaseRecordingSegment.__init__(self, sampling_frequency=plan.sampling_frequency, t_start=start_s)
        else:
            BaseRecordingSegment.__init__(self, sampling_frequency=plan.sampling_frequency, time_vector=times)
        self.plan = plan
        self._tiles: OrderedDict[int, Array] = OrderedDict()
        self._lock = threading.Lock()

    def get_num_samples(self) -> int:
        return self.plan.n_samples

    def get_traces(
        self, start_frame: int | None = None, end_frame: int | None = None, channel_indices: Any = None
    ) -> Array:
        n = self.plan.n_samples
        first = min(max(0, int(start_frame or 0)), n)
        last = max(first, n if end_frame is None else min(int(end_frame), n))
        start, stop = self.plan.start + first, self.plan.start + last
        if not self.plan.stages:
            traces = _traces_of_plan(self.plan, start, stop)
        else:
            traces = np.empty((stop - start, self.plan.n_channels), self.plan.dtype)
            for tile in self.plan.tiles(start, stop):
                tile_start, block = self._tile(tile)
                lo, hi = max(start, tile_start), min(stop, tile_start + len(block))
                traces[lo - start : hi - start] = block[lo - tile_start : hi - tile_start]
        return traces if channel_indices is None else np.ascontiguousarray(traces[:, channel_indices])

    def _tile(self, number: int) -> tuple[int, Array]:
        size = self.plan.tile_samples
        start, stop = max(self.plan.start, number * size), min(self.plan.stop, (number + 1) * size)
        with self._lock:
            if number in self._tiles:
                self._tiles.move_to_end(number)
                return start, self._tiles[number]
        block = _traces_of_plan(self.plan, start, stop)
        with self._lock:
            self._tiles[number] = block
            while len(self._tiles) > max(2, CACHE_BYTES // max(1, block.nbytes)):
                self._tiles.popitem(last=False)
        return start, block


def _plan(given: Plan | dict[str, Any]) -> Plan:
    return given if isinstance(given, Plan) else decode_plan(given)


def _traces_of_plan(plan: Plan, start: int, stop: int) -> Array:
    if stop <= start:
        return np.empty((0, plan.n_channels), plan.dtype)
    (block,) = compute(to_dask(plan.narrowed(start, (stop - start,))), scheduler="synchronous")
    traces: Array = np.ascontiguousarray(block)
    return traces
