"""``save_recording``: stream a recording to disk, one task per chunk; the result is whole or absent."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ...attributes import as_text, from_text
from ...checks import sample_type
from ...errors import ParameterError, RecordingError
from ...graph.build import root_plan, to_dask
from ...graph.events import compute
from ...graph.plan import Array, Plan
from ...graph.source import chunked_array
from ...recording.clock import on_segment_axis
from ...recording.segments import check_alike, segments_of, tree_of
from ...schema import validate_recording
from ...typing import PathLike
from ...unit_mark import check_unit_stated
from ..bridge.spikeinterface import from_spikeinterface, times_of, to_spikeinterface
from ..read.binary import allocate, write_rows
from ..read.properties import coordinates_of_properties, properties_of
from . import zarr as stores
from .atomic import whole_or_absent
from .encode import decode_array, encode_array, plain

#: Minimum compressed size: lossless codecs shrink broadband recordings to between a half and a quarter.
_ZARR_LEAST_SHARE = 0.25


def save_recording(
    recording: xr.DataArray | xr.DataTree,
    path: PathLike,
    *,
    format: str = "zarr",
    overwrite: bool = False,
    dtype: Any = None,
    compressor: Any = None,
    chunk_duration_s: float = 2.0,
) -> xr.DataArray | xr.DataTree:
    """Compute and save a recording chunk by chunk; memory use does not grow with its length.

    Parameters
    ----------
    recording
        A recording, or a DataTree of its segments.
    path
        Folder to be written: a Zarr store, or for ``"binary"`` a folder with one ``.raw`` file per segment and JSON
        files beside it. SpikeInterface reads both (``read_zarr``, ``load``).
    format
        ``"zarr"`` or ``"binary"``.
    overwrite
        Replace what is at the path, once the new one is complete.
    dtype
        Type to save as, by default that of the recording. Conversion to integers rounds half to even and saturates.
    compressor
        Compressor of the traces in the Zarr store; Blosc zstd level 5 with bit shuffle by default.
    chunk_duration_s
        Chunk duration of the returned recording.

    Returns
    -------
    The saved recording, reopened.

    Raises
    ------
    OutputError
        If the path exists, or there is not enough space; no partial output is left.
    RecordingError
        If NaN would be saved as an integer, or the segments differ.

    Examples
    --------
    >>> import tempfile
    >>> from xephys.schema import make_recording
    >>> rec = make_recording(np.ones((3000, 2), "int16"), sampling_frequency=30_000.0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     saved = save_recording(rec, Path(folder) / "rec.zarr")
    ...     int(saved.sum().compute())
    6000
    """
    if format not in ("zarr", "binary"):
        raise ParameterError(f"format {format!r} cannot be written; choose 'zarr' or 'binary'")
    segments = segments_of(recording)
    check_alike(segments)
    for segment in segments:
        check_unit_stated(segment, why="a stored recording")
    target = Path(path)
    kind = sample_type(segments[0].dtype if dtype is None else dtype)
    n_bytes = sum(segment.size for segment in segments) * kind.itemsize
    write, share = (_write_zarr, _ZARR_LEAST_SHARE) if format == "zarr" else (_write_binary, 1.0)
    with whole_or_absent(target, overwrite=overwrite, n_bytes=int(n_bytes * share), is_recording=True) as hidden:
        write(segments, hidden, kind, compressor)
    if format == "zarr":
        return stores.open_zarr(target, chunk_duration_s=chunk_duration_s)
    return open_binary_folder(target, chunk_duration_s=chunk_duration_s)


def _write_zarr(segments: list[xr.DataArray], folder: Path, dtype: np.dtype[Any], compressor: Any) -> None:
    group = stores.new_group(folder)
    stores.write_metadata(group, segments, [times_of(segment) for segment in segments])
    for index, segment in enumerate(segments):
        info = validate_recording(segment)
        rate = info.sampling_frequency
        name = f"traces_seg{index}"
        stores.create_traces(
            group,
            name,
            dims=(stores.time_dim(index, n_segments=len(segments)), "channel"),
            shape=(info.n_samples, info.n_channels),
            dtype=dtype,
            sampling_frequency=rate,
            compressor=compressor,
        )
        _, unit = stores.storage_samples(rate)
        _stream(_plan(segment), unit, dtype, stores.write_region, {"store": str(folder), "component": name})
    stores.consolidate(folder)


def _write_binary(segments: list[xr.DataArray], folder: Path, dtype: np.dtype[Any], compressor: Any) -> None:
    if compressor is not None:
        raise ParameterError("a binary file is not compressed; leave compressor out, or save as 'zarr'")
    folder.mkdir()
    for index, segment in enumerate(segments):
        file = folder / f"traces_cached_seg{index}.raw"
        allocate(file, n_bytes=segment.size * dtype.itemsize)
        plan = _plan(segment)
        _stream(plan, max(1, round(2 * plan.sampling_frequency)), dtype, write_rows, {"path": str(file)})
    _write_sidecars(segments, folder, dtype)


def _plan(segment: xr.DataArray) -> Plan:
    info = validate_recording(segment)
    data = segment.data
    if not hasattr(data, "chunks"):
        data = chunked_array(data, chunk_samples=max(1, round(2 * info.sampling_frequency)))
    return root_plan(data, sampling_frequency=info.sampling_frequency)


def _stream(plan: Plan, unit: int, dtype: np.dtype[Any], write: Callable[..., None], where: dict[str, Any]) -> None:
    """Compute the plan in chunks of ``unit`` samples.

    Each task writes its own chunk and returns nothing of interest.
    """
    traces = to_dask(plan.rechunked(unit))
    written = traces.map_blocks(
        _write_block,
        write=write,
        where=where,
        unit=unit,
        save_dtype=dtype.str,
        chunks=((1,) * traces.numblocks[0], (1,)),
        dtype=bool,
        meta=np.empty((0, 0), bool),
    )
    compute(written)


def _write_block(
    block: Array,
    *,
    write: Callable[..., None],
    where: dict[str, Any],
    unit: int,
    save_dtype: str,
    block_id: tuple[int, ...] = (0, 0),
) -> Array:
    first_row = block_id[0] * unit
    write(as_dtype(block, np.dtype(save_dtype), first_row=first_row), first_row=first_row, **where)
    return np.ones((1, 1), bool)


def as_dtype(block: Array, dtype: np.dtype[Any], *, first_row: int = 0) -> Array:
    """Convert a block to another type: integers are rounded half to even and saturated, never wrapped.

    Raises
    ------
    RecordingError
        If a value that is not finite would become an integer.
    """
    if block.dtype == dtype or dtype.kind not in "iu":
        return block.astype(dtype, copy=False)
    if block.dtype.kind == "f":
        bad = ~np.isfinite(block)
        if bad.any():
            row, channel = np.argwhere(bad)[0]
            raise RecordingError(
                f"sample {first_row + row} of channel number {channel} is {block[row, channel]} and cannot be saved as "
                f"{dtype.name}; save as float32 or mend the recording"
            )
        block = np.rint(block)
    limits = np.iinfo(dtype)
    if block.dtype.kind == "f" and dtype.itemsize >= 4:
        block = block.astype(np.float64)
    out: Array = np.clip(block, limits.min, limits.max).astype(dtype)
    return out


def _write_sidecars(segments: list[xr.DataArray], folder: Path, dtype: np.dtype[Any]) -> None:
    """Write the files that SpikeInterface's binary folders have, and ``xephys.json`` for everything else."""
    from probeinterface import write_probeinterface
    from spikeinterface.core import BinaryFolderRecording, BinaryRecordingExtractor

    first = segments[0]
    times = [times_of(segment) for segment in segments]
    properties = properties_of(first)
    (folder / "properties").mkdir()
    for name, values in properties.items():
        if values.dtype.kind != "O":
            np.save(folder / "properties" / f"{name}.npy", values, allow_pickle=False)
    (folder / "annotations.json").write_text(
        json.dumps(plain(from_text(first.attrs.get("annotations"), {}))), encoding="utf8"
    )
    probegroup = to_spikeinterface(first)._probegroup
    if probegroup is not None:
        write_probeinterface(folder / "probegroup.json", probegroup)
    for index, (_, vector) in enumerate(times):
        if vector is not None:
            np.save(folder / f"times_cached_seg{index}.npy", vector)
    ours = {
        "attributes": [stores.saved_attributes(segment) for segment in segments],
        "properties": {
            name: stores.encode_property(name, values)
            for name, values in properties.items()
            if values.dtype.kind == "O"
        },
        "n_samples": [segment.sizes["time"] for segment in segments],
        "n_channels": first.sizes["channel"],
        "channel_ids": encode_array(first.coords["channel"].values),
        "dtype": dtype.str,
    }
    (folder / "xephys.json").write_text(json.dumps(ours), encoding="utf8")
    described = BinaryRecordingExtractor(
        file_paths=[folder / f"traces_cached_seg{index}.raw" for index in range(len(segments))],
        sampling_frequency=float(first.attrs["sampling_frequency"]),
        num_channels=first.sizes["channel"],
        dtype=dtype,
        t_starts=[0.0 if start is None else start for start, _ in times],
        channel_ids=first.coords["channel"].values,
        gain_to_uV=properties.get("gain_to_uV"),
        offset_to_uV=properties.get("offset_to_uV"),
    )
    described.dump(folder / "binary.json", relative_to=folder)
    BinaryFolderRecording(folder).dump_to_json(
        folder / "si_folder.json", relative_to=folder, include_annotations=False, include_extra_metadata=False
    )


def open_binary_folder(path: Path, *, chunk_duration_s: float = 2.0) -> xr.DataArray | xr.DataTree:
    """Open a binary folder written by :func:`save_recording` or SpikeInterface, lazily.

    Raises
    ------
    RecordingError
        If the length of a file has changed since it was written.
    """
    from spikeinterface.core import BinaryFolderRecording, load

    ours_file = path / "xephys.json"
    if not ours_file.is_file():
        return from_spikeinterface(load(path), chunk_duration_s=chunk_duration_s)
    ours = json.loads(ours_file.read_text(encoding="utf8"))
    for index, n_samples in enumerate(ours["n_samples"]):
        file = path / f"traces_cached_seg{index}.raw"
        expected = n_samples * ours["n_channels"] * np.dtype(ours["dtype"]).itemsize
        found = file.stat().st_size if file.is_file() else 0
        if found != expected:
            raise RecordingError(
                f"{file} has {found} bytes and was written with {expected}: it has been cut or changed; copy it again"
            )
    opened = segments_of(from_spikeinterface(BinaryFolderRecording(path), chunk_duration_s=chunk_duration_s))
    coordinates, shared = coordinates_of_properties({k: decode_array(v) for k, v in ours["properties"].items()})
    annotations = json.loads((path / "annotations.json").read_text(encoding="utf8"))
    segments = []
    for segment, attributes in zip(opened, ours["attributes"], strict=True):
        whole = segment.assign_coords(channel=decode_array(ours["channel_ids"]))
        whole = whole.assign_coords({name: ("channel", values) for name, values in coordinates.items()})
        whole.attrs = {**segment.attrs, **shared, **attributes, "annotations": as_text(annotations)}
        segments.append(on_segment_axis(whole))
    return segments[0] if len(segments) == 1 else tree_of(segments)
