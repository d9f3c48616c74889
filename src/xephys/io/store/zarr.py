"""Store recordings in Zarr. The only file that knows both major versions of zarr-python.

The layout is SpikeInterface's (``traces_seg0``, ``channel_ids``, ``properties``, …), so that each can read the other's
stores; everything else is in the attribute ``xephys``. Dimensions have names, so that ``xarray.open_zarr`` opens the
arrays as they are stored. With zarr 2 a chunk is half a second. With zarr 3 a shard of two seconds holds chunks of a
tenth of a second, and reading a halo costs at most one of those.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ...attributes import as_text, from_text
from ...errors import RecordingError
from ...graph.build import to_dask
from ...graph.plan import Array, Plan
from ...graph.source import ZarrSource
from ...recording.clock import on_segment_axis
from ...schema import RATE_TOLERANCE, TRACES, clock_of, make_recording
from ...unit_mark import carry_unit
from ..read.probe import probe_coordinates, probegroup_of
from ..read.properties import coordinates_of_properties, properties_of
from ..read.si_source import folder_token
from .encode import NotDeclarative, decode_array, encode_array, plain

_CHUNK_S = 0.5
_SHARD_CHUNK_S = 0.1
_SHARD_CHUNKS = 20
#: Attribute by which Xarray knows the dimensions of an array of version 2.
_DIMENSIONS = "_ARRAY_DIMENSIONS"


def zarr_major() -> int:
    import zarr

    return int(zarr.__version__.split(".")[0])


def storage_samples(sampling_frequency: float) -> tuple[int, int]:
    """Length of a stored chunk, and of the unit that one task may write without touching others.

    The unit is a shard, or four chunks.
    """
    if zarr_major() >= 3:
        chunk = max(1, round(_SHARD_CHUNK_S * sampling_frequency))
        return chunk, chunk * _SHARD_CHUNKS
    chunk = max(1, round(_CHUNK_S * sampling_frequency))
    return chunk, chunk * 4


def new_group(path: Path) -> Any:
    import zarr

    return zarr.open_group(str(path), mode="w")


def create_traces(
    group: Any,
    name: str,
    *,
    dims: tuple[str, str],
    shape: tuple[int, int],
    dtype: Any,
    sampling_frequency: float,
    compressor: Any,
) -> None:
    """An empty array for traces; if ``compressor`` is None, Blosc zstd, level 5, with bit shuffle."""
    chunk, unit = storage_samples(sampling_frequency)
    if zarr_major() >= 3:
        from zarr.codecs import BloscCodec

        codec = compressor or BloscCodec(
            cname="zstd", clevel=5, shuffle="bitshuffle", typesize=np.dtype(dtype).itemsize
        )
        layout = {"chunks": (chunk, shape[1]), "shards": (unit, shape[1]), "compressors": codec}
        group.create_array(name=name, shape=shape, dtype=dtype, dimension_names=dims, **layout)
        return
    from numcodecs import Blosc

    codec = compressor or Blosc(cname="zstd", clevel=5, shuffle=Blosc.BITSHUFFLE)
    chunks = (chunk, shape[1])  # without a fill value: Xarray would take it for one that is missing
    stored = group.create_dataset(name, shape=shape, dtype=dtype, chunks=chunks, compressor=codec, fill_value=None)
    stored.attrs[_DIMENSIONS] = list(dims)


def put_array(group: Any, name: str, values: Any, *, dims: tuple[str, ...]) -> None:
    """Write a small array as a single chunk."""
    values = np.asarray(values)
    if zarr_major() >= 3:
        with warnings.catch_warnings():  # fixed-length strings are not in the core of the version 3 specification
            warnings.simplefilter("ignore")
            group.create_array(name=name, data=values, dimension_names=dims)
        return
    group.create_dataset(name, data=values, compressor=None, fill_value=None).attrs[_DIMENSIONS] = list(dims)


def consolidate(path: Path) -> None:
    """Put all metadata in one file, where the format has one: opening then reads no other."""
    import zarr

    if zarr_major() < 3:
        zarr.consolidate_metadata(str(path))


def time_dim(index: int, *, n_segments: int) -> str:
    """Name of the dimension along which the samples of a segment lie."""
    return "time" if n_segments == 1 else f"time_seg{index}"


def write_region(block: Array, *, store: str, component: str, first_row: int) -> None:
    """Write rows of an array in their place."""
    import zarr

    if not any((Path(store) / name).is_file() for name in (".zgroup", "zarr.json")):
        raise FileNotFoundError(f"{store} is gone: writing was stopped")  # Zarr would silently create it again
    zarr.open_group(store, mode="r+")[component][first_row : first_row + len(block)] = block


def write_metadata(group: Any, segments: list[xr.DataArray], times: list[tuple[float | None, Any]]) -> None:
    """Write everything but the traces."""
    first = segments[0]
    group.attrs["zarr_class_info"] = {
        "class": "spikeinterface.core.zarrextractors.ZarrRecordingExtractor",
        "module": "spikeinterface",
        "version": _version("spikeinterface"),
    }
    group.attrs["sampling_frequency"] = float(first.attrs["sampling_frequency"])
    group.attrs["num_segments"] = len(segments)
    group.attrs["provenance"] = None
    group.attrs["annotations"] = plain(from_text(first.attrs.get("annotations"), {}))
    probegroup = probegroup_of(first)
    if probegroup is not None:
        group.attrs["probegroup"] = plain(probegroup.to_dict(array_as_list=True))
    put_array(group, "channel_ids", first.coords["channel"].values, dims=("channel",))
    starts = np.array([np.nan if start is None else start for start, _ in times])
    put_array(group, "t_starts", starts, dims=("segment",))
    for index, (_, vector) in enumerate(times):
        if vector is not None:
            put_array(group, f"times_seg{index}", vector, dims=(time_dim(index, n_segments=len(times)),))
    others: dict[str, Any] = {}
    stored = group.create_group("properties")
    for name, values in properties_of(first).items():
        if values.dtype.kind in "biufcUS":
            put_array(stored, name, values, dims=("channel", *(f"{name}_dim_{k}" for k in range(1, values.ndim))))
        else:
            others[name] = encode_property(name, values)
    group.attrs["xephys"] = {
        "version": _version("xephys"),
        "attributes": [saved_attributes(segment) for segment in segments],
        "properties": others,
    }


def encode_property(name: str, values: Any) -> dict[str, Any]:
    """Encode a property of objects as JSON.

    Raises
    ------
    RecordingError
        If the objects are more than numbers, strings, and lists and dicts of them: files hold data only.
    """
    try:
        return encode_array(values)
    except NotDeclarative as error:
        raise RecordingError(f"the coordinate {name!r} cannot be saved: {error}; drop it (drop_vars) first") from error


def saved_attributes(recording: xr.DataArray) -> dict[str, Any]:
    """Attributes as JSON, without those that are stored elsewhere."""
    apart = {
        "annotations", "probegroup", "sampling_frequency",
        "renamed_properties", "stacked_properties", "dated_properties",
    }  # fmt: skip
    saved: dict[str, Any] = plain({k: v for k, v in recording.attrs.items() if k not in apart})
    return saved


def open_zarr(path: Path, *, chunk_duration_s: float = 2.0) -> xr.DataArray | xr.DataTree:
    """Open a recording saved by :func:`xephys.save_recording`, SpikeInterface or Xarray (``to_zarr``), lazily.

    Raises
    ------
    RecordingError
        If the store holds no recording.
    """
    import zarr

    from ...recording.segments import tree_of

    group = zarr.open_group(str(path), mode="r")
    attributes = dict(group.attrs)
    if "traces" in group and "traces_seg0" not in group:
        return _open_of_xarray(path, group, chunk_duration_s)
    nodes = [name for name, node in group.groups() if "traces" in node]
    if nodes and "traces_seg0" not in group:  # a tree of segments that Xarray wrote
        nodes.sort(key=lambda name: (len(name), name))
        return tree_of([_open_of_xarray(path / name, group[name], chunk_duration_s) for name in nodes])
    if "channel_ids" not in group or "traces_seg0" not in group:
        kind = "a sorting: use open_sorting" if "spikes" in group else "no recording"
        raise RecordingError(f"{path} is a Zarr store with {kind}; a recording has 'channel_ids' and 'traces_seg0'")
    if (
        "probe" in attributes and "probegroup" not in attributes
    ):  # written by an older SpikeInterface version, which can read it
        from spikeinterface.core import read_zarr

        from ..bridge.spikeinterface import from_spikeinterface

        return from_spikeinterface(read_zarr(path), chunk_duration_s=chunk_duration_s)
    ours = attributes.get("xephys", {})
    coordinates, shared = _stored_coordinates(group, attributes, ours)
    segments = [
        _open_segment(path, group, index, coordinates, shared, ours, chunk_duration_s)
        for index in range(int(attributes["num_segments"]))
    ]
    return segments[0] if len(segments) == 1 else tree_of(segments)


def _open_of_xarray(path: Path, group: Any, chunk_duration_s: float) -> xr.DataArray:
    """Open a recording that Xarray wrote, with ``recording.to_dataset(name="traces").to_zarr(path)``."""
    from ..bridge.spikeinterface import with_times

    with xr.open_zarr(path, chunks=None, consolidated=False) as opened:
        traces = opened["traces"]
        if traces.dims != TRACES.dims or "sampling_frequency" not in traces.attrs:
            raise RecordingError(
                f"'traces' in {path} has dims {traces.dims} and the attributes {sorted(map(str, traces.attrs))}; a "
                "recording has dims ('time', 'channel') and a sampling_frequency"
            )
        store, rate = str(path.absolute()), float(traces.attrs["sampling_frequency"])
        n_samples, n_channels = traces.shape
        chunk_samples = max(1, round(chunk_duration_s * rate))
        source = ZarrSource(
            store, "traces", n_samples, n_channels, np.dtype(group["traces"].dtype).str, folder_token(store)
        )
        clock = clock_of(traces)
        recording = make_recording(
            to_dask(Plan.of_source(source, sampling_frequency=rate, chunk_samples=chunk_samples)),
            sampling_frequency=rate,
            channel_ids=traces.coords["channel"].values if "channel" in traces.coords else None,
            start_s=0.0 if clock is None else clock.start,
            units=str(traces.attrs.get("units", "counts")),
            coordinates={
                str(name): values.values
                for name, values in traces.coords.items()
                if values.dims == ("channel",) and name != "channel"
            },
            attributes=dict(traces.attrs),
        )
        carry_unit(recording, traces)
        if clock is not None and abs(clock.step * rate - 1) > RATE_TOLERANCE:  # decimated; the next step refuses it
            recording = recording.drop_vars("time").assign_coords(xr.Coordinates.from_xindex(clock))
        if clock is None and "time" in traces.coords:
            recording = with_times(recording, traces.coords["time"].values, chunk_samples=chunk_samples)
    return on_segment_axis(recording)


def _stored_coordinates(
    group: Any, attributes: Mapping[str, Any], ours: Mapping[str, Any]
) -> tuple[Any, dict[str, Any]]:
    stored = group.get("properties", {})
    properties = {name: np.asarray(stored[name][:]) for name in stored if name != "contact_vector"}
    properties |= {name: decode_array(values) for name, values in ours.get("properties", {}).items()}
    coordinates, shared = coordinates_of_properties(properties)
    if "probegroup" in attributes:
        from probeinterface import ProbeGroup

        positions, probe = probe_coordinates(ProbeGroup.from_dict(attributes["probegroup"]))
        coordinates, shared = positions | coordinates, probe | shared
    shared["annotations"] = as_text(attributes.get("annotations") or {})
    return coordinates, shared


def _open_segment(
    path: Path,
    group: Any,
    index: int,
    coordinates: Mapping[str, Any],
    shared: Mapping[str, Any],
    ours: Mapping[str, Any],
    chunk_duration_s: float,
) -> xr.DataArray:
    from ..bridge.spikeinterface import with_times

    rate = float(group.attrs["sampling_frequency"])
    chunk_samples = max(1, round(chunk_duration_s * rate))
    traces = group[f"traces_seg{index}"]
    n_samples, n_channels = (int(n) for n in traces.shape)
    store = str(path.absolute())
    source = ZarrSource(
        store, f"traces_seg{index}", n_samples, n_channels, np.dtype(traces.dtype).str, folder_token(store)
    )
    saved = dict(ours["attributes"][index]) if ours else {}
    scaled = "gain_to_uv" in coordinates or source.dtype.kind in "iu"
    units = saved.pop("units", "counts" if scaled else "uV")
    starts = group["t_starts"][:] if "t_starts" in group else []
    start_s = float(starts[index]) if index < len(starts) and np.isfinite(starts[index]) else 0.0
    recording = make_recording(
        to_dask(Plan.of_source(source, sampling_frequency=rate, chunk_samples=chunk_samples)),
        sampling_frequency=rate,
        channel_ids=np.asarray(group["channel_ids"][:]),
        start_s=start_s,
        units=units,
        coordinates=coordinates,
        attributes={**saved, **shared},
    )
    if f"times_seg{index}" in group:
        recording = with_times(recording, group[f"times_seg{index}"], chunk_samples=chunk_samples)
    return on_segment_axis(recording)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
