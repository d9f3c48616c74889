"""Find the samples of a SpikeInterface recording: in a plain file if possible, otherwise through its pickle."""

from __future__ import annotations

import hashlib
import pickle
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...graph.plan import Array, Source
from ...graph.source import BinarySource, PickledSource, ZarrSource, file_token

#: Substrings that mark the names of path arguments.
_OF_PATHS = ("path", "folder", "file", "dirname")
#: Names that the command line writes into the folder of its results.
_RESULTS = (".work", "sorting.zarr", "phy")
_UNFINISHED = re.compile(r"\..+\.(partial|replaced)-.+")


def source_of(recording: Any, segment_index: int) -> Source | Array:
    """The source of one segment's samples, or the array itself if they are in memory.

    Raises
    ------
    TypeError
        If the recording can neither be described nor pickled.
    """
    from spikeinterface.core import ChannelSliceRecording, NumpyRecording
    from spikeinterface.core.zarrextractors import ZarrRecordingExtractor

    if isinstance(recording, NumpyRecording):
        traces: Array = recording.get_traces(segment_index=segment_index)
        return traces
    if isinstance(recording, ZarrRecordingExtractor):
        return _zarr_source(recording, segment_index)
    if isinstance(recording, ChannelSliceRecording):
        parent = source_of(recording.get_parent(), segment_index)
        chosen = recording.get_parent().ids_to_indices(recording._kwargs["channel_ids"])
        if isinstance(parent, np.ndarray):
            return np.ascontiguousarray(parent[:, chosen])
        if isinstance(parent, BinarySource):
            stored = range(parent.n_channels) if parent.channels is None else parent.channels
            return replace(parent, channels=tuple(int(stored[k]) for k in chosen))
    described = _binary_source(recording, segment_index) or _neo_source(recording, segment_index)
    return described or _pickled_source(recording, segment_index)


def times_source(times: Any) -> BinarySource | Any:
    """Source of a vector of times: a file if it maps that file whole, a Zarr array itself, otherwise the array."""
    if isinstance(times, np.memmap) and times.filename is not None and not isinstance(times.base, np.memmap):
        path = str(times.filename)
        return BinarySource(path, times.dtype.str, 1, len(times), offset_bytes=times.offset, content=file_token(path))
    return times if hasattr(times, "store") else np.asarray(times)


def _binary_source(recording: Any, segment_index: int) -> BinarySource | None:
    if not recording.is_binary_compatible():
        return None
    if type(recording).__name__ == "WhiteMatterRecordingExtractor":
        # The recording's own keyword arguments hide those of the binary reader, which get_binary_description expects.
        segment = recording.segments[segment_index]
        layout = {
            "file_paths": [segment.file_path],
            "dtype": np.dtype(segment.dtype),
            "num_channels": segment.num_channels,
        }
        layout |= {"time_axis": segment.time_axis, "file_offset": segment.file_offset}
        path = Path(segment.file_path)
    else:
        layout = recording.get_binary_description()
        path = Path(layout["file_paths"][segment_index])
    return BinarySource(
        str(path.absolute()),  # workers may run in another directory
        np.dtype(layout["dtype"]).str,
        int(layout["num_channels"]),
        int(recording.get_num_samples(segment_index)),
        offset_bytes=int(layout["file_offset"]),
        time_axis=int(layout["time_axis"]),
        content=file_token(path),
    )


def _neo_source(recording: Any, segment_index: int) -> BinarySource | None:
    """The buffer description of a Neo reader, if the recording is exactly that buffer."""
    reader = getattr(recording, "neo_reader", None)
    if reader is None or recording.inverted_gain or not reader.has_buffer_description_api():
        return None
    stream = reader.header["signal_streams"][recording.stream_index]
    layout = reader.get_analogsignal_buffer_description(recording.block_index, segment_index, stream["buffer_id"])
    if layout["type"] != "raw" or layout.get("order", "C") != "C":
        return None
    time_axis = int(layout.get("time_axis", 0))
    n_samples, n_file_channels = (int(n) for n in (layout["shape"] if time_axis == 0 else layout["shape"][::-1]))
    chosen = reader._stream_buffer_slice[stream["id"]]
    channels = None if chosen is None else tuple(int(k) for k in np.arange(n_file_channels)[chosen])
    path = Path(layout["file_path"])
    if (len(channels) if channels else n_file_channels) != recording.get_num_channels():
        return None
    if n_samples != recording.get_num_samples(segment_index):
        return None
    return BinarySource(
        str(path.absolute()),  # workers may run in another directory
        np.dtype(layout["dtype"]).str,
        n_file_channels,
        n_samples,
        offset_bytes=int(layout["file_offset"]),
        time_axis=time_axis,
        channels=channels,
        content=file_token(path),
    )


def _zarr_source(recording: Any, segment_index: int) -> Source:
    folder = recording._kwargs["folder_path"]
    if "://" in str(folder):
        return _pickled_source(recording, segment_index)
    return ZarrSource(
        str(folder),
        f"traces_seg{segment_index}",
        int(recording.get_num_samples(segment_index)),
        int(recording.get_num_channels()),
        np.dtype(recording.get_dtype()).str,
        content=folder_token(folder),
    )


def _pickled_source(recording: Any, segment_index: int) -> PickledSource:
    try:  # also recordings that SpikeInterface calls not serializable, because their arrays travel along
        pickled = pickle.dumps(recording)
    except (TypeError, AttributeError, AssertionError, pickle.PicklingError) as error:
        raise TypeError(
            f"{type(recording).__name__} cannot be sent to other processes ({error}); save it "
            "(recording.save(folder=...)) and open what was saved"
        ) from error
    digest = hashlib.sha1(pickled, usedforsecurity=False)
    given = set(_paths(recording.to_dict(recursive=True)["kwargs"]))
    for path in sorted({file for one in given for file in _files_of(one)}):
        digest.update((folder_token(path) if path.is_dir() else file_token(path)).encode())
    return PickledSource(
        pickled,
        segment_index,
        int(recording.get_num_samples(segment_index)),
        int(recording.get_num_channels()),
        np.dtype(recording.get_dtype()).str,
        content=digest.hexdigest(),
    )


def _files_of(path: Path) -> list[Path]:
    """A reader's path, and the files with the samples if the path is a header without any.

    Not everything beside a header: if a sort keeps its work there, that would change the identity of the recording.
    """
    if path.name in ("info.rhd", "info.rhs"):  # Intan, one file per signal or per channel
        return [path, *path.parent.rglob("*.dat")]
    if path.suffix == ".set" and path.with_suffix(".bin").is_file():  # Axona
        return [path, path.with_suffix(".bin")]
    return [path]


def folder_token(folder: str | Path) -> str:
    """Identity of a folder's content: names, sizes and modification times of its entries, and of those one level below.

    Results that a sort wrote into the folder are ignored; otherwise the next run would not recognize the recording.
    """
    root = Path(folder)
    results = {entry for entry in root.glob("*") if _is_result(entry)}
    found = [*root.glob("*"), *root.glob("*/.z*"), *root.glob("*/zarr.json")]
    entries = sorted(entry for entry in found if entry not in results and entry.parent not in results)
    lines = [f"{e.relative_to(root)}:{e.stat().st_size}:{e.stat().st_mtime_ns}" for e in entries]
    return hashlib.sha1("\n".join([str(root.resolve()), *lines]).encode(), usedforsecurity=False).hexdigest()


def _is_result(entry: Path) -> bool:
    """Whether a sort made this entry: its folder, a file in one, or an unfinished result."""
    if _UNFINISHED.fullmatch(entry.name):
        return True
    return entry.is_dir() and (entry.name in _RESULTS or any((entry / name).exists() for name in _RESULTS[:2]))


def _paths(value: Any, key: str = "") -> Iterator[Path]:
    """Existing files and folders among a reader's arguments, judged by the arguments' names; other text is ignored."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _paths(item, str(name))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _paths(item, key)
    elif isinstance(value, Path) or (isinstance(value, str) and any(word in key for word in _OF_PATHS)):
        with suppress(OSError, ValueError):  # the text is too long or contains a null byte
            if Path(value).exists():
                yield Path(value)
