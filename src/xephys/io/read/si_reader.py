"""Open a path of a known format with SpikeInterface's reader: choose the stream, and explain what the reader raises."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import Any

from ...errors import ParameterError, RecordingError, readers_silenced
from .formats import WHITEMATTER, Format

#: Exceptions of readers for files they cannot read; Neo and h5py use plain assertions and bare exceptions.
_READER_ERRORS = (
    ValueError, AssertionError, OSError, ImportError, KeyError, IndexError, TypeError, NotImplementedError,
)  # fmt: skip


def read_with_spikeinterface(known: Format, path: Path, *, stream_id: str | None, options: Mapping[str, Any]) -> Any:
    """SpikeInterface's recording of a path.

    Raises
    ------
    RecordingError
        If the file holds no traces, it is unclear which of several streams is meant, or the reader lacks something it
        needs.
    """
    options = dict(options)
    if known.name == "whitematter":
        match = WHITEMATTER.search(path.name)
        if match:
            options = {"num_channels": int(match[1]), "sampling_frequency": float(match[2]), **options}
    if known.name == "maxwell":
        options.setdefault("install_maxwell_plugin", False)
    read = _reader(known)
    if known.has_streams:
        names, ids = _streams(known, path, options)
        stream_id = choose_stream(names, ids, stream_id, path=path)
        options["stream_id"] = stream_id
    elif stream_id is not None:
        if known.name not in ("nwb", "mcsh5"):
            raise ParameterError(f"stream_id is {stream_id!r}, and {path} has no streams; leave it out")
        options["electrical_series_path" if known.name == "nwb" else "stream_id"] = stream_id
    try:
        # Neo prints a page about Maxwell's filter; the error says it in a sentence.
        quiet = redirect_stdout(None) if known.name == "maxwell" else nullcontext()
        with readers_silenced(), quiet:
            recording = read(**{known.argument: str(path)}, **options)
            if known.name == "maxwell":  # its description forgets this, and a worker that opens it would download
                recording._kwargs["install_maxwell_plugin"] = options["install_maxwell_plugin"]
            if known.name in ("maxwell", "nwb"):
                _check_columns(recording, path)
            return recording
    except RecordingError:
        raise
    except _READER_ERRORS as error:
        raise _explanation(known, path, error) from error


def choose_stream(names: Iterable[str], ids: Iterable[str], wanted: str | None, *, path: Path) -> str | None:
    """The requested stream, or the obvious one.

    The rule: streams for synchronization, auxiliary, and analog or digital inputs are set aside. Among the rest, the
    action-potential band is preferred to the LFP band. If exactly one stream is left, it is chosen.

    Raises
    ------
    RecordingError
        If the requested stream does not exist, or several remain.
    """
    pairs = list(zip(map(str, names), map(str, ids), strict=True))
    listed = _listed(pairs)
    if wanted is not None:
        for name, identifier in pairs:
            if str(wanted) in (identifier, name):
                return identifier
        raise RecordingError(f"{path} has no stream {wanted!r}; give stream_id as one of {listed}")
    if not pairs:
        return None
    left = [pair for pair in pairs if not _is_auxiliary(pair[0])] or pairs
    action = [pair for pair in left if re.search(r"(^|[.\-_ ])ap$", pair[0].lower())]
    left = action or [pair for pair in left if not re.search(r"(^|[.\-_ ])lfp?$", pair[0].lower())] or left
    if len(left) > 1:
        raise RecordingError(
            f"{path} holds {len(left)} streams that could be meant; give stream_id as one of {_listed(left)}"
        )
    return left[0][1]


def _listed(pairs: Iterable[tuple[str, str]]) -> str:
    """Streams by identifier, with their names."""
    return ", ".join(i if i == n else f"{i!r} ({n})" for n, i in pairs)


def _is_auxiliary(name: str) -> bool:
    return bool(
        re.search(r"sync|nidq|ni-daq|aux|adc|digital|supply|analog[- _]?in|message|_memory|accel", name.lower())
    )


def _check_columns(recording: Any, path: Path) -> None:
    """Check that the samples can be read and have as many columns as the file names channels.

    A file of MaxWell opens even without the filter that reading its samples requires; an NWB file may name more
    electrodes than its samples have columns.
    """
    n_columns = recording.get_traces(segment_index=0, start_frame=0, end_frame=1).shape[1]
    n_channels = recording.get_num_channels()
    if n_columns != n_channels:
        raise RecordingError(
            f"{path} names {n_channels} channels and its samples are of {n_columns}: the file contradicts itself; "
            "correct it, or read its samples with h5py and use make_recording"
        )


def _reader(known: Format) -> Any:
    if known.name == "plexon":
        from .plexon import ExactPlexonRecording

        return ExactPlexonRecording
    from spikeinterface.extractors import extractor_classes

    return extractor_classes.recording_extractor_full_dict[known.reader]


def reader_class(known: Format) -> Any:
    """The class that reads a format, or a function if SpikeInterface has no class."""
    read = _reader(known)
    if read.__name__ != "read_openephys":  # a function that wraps two classes
        return read
    from spikeinterface.extractors.neoextractors import openephys

    kind = "Legacy" if known.name == "openephys-legacy" else "Binary"
    return getattr(openephys, f"OpenEphys{kind}RecordingExtractor")


def _streams(known: Format, path: Path, options: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Names and ids of the streams of a file."""
    cls = reader_class(known)
    known_arguments = inspect.signature(cls.map_to_neo_kwargs).parameters
    accepted = {key: value for key, value in options.items() if key in known_arguments}
    try:
        with readers_silenced():
            names, ids = cls.get_streams(str(path), **accepted)
    except _READER_ERRORS as error:
        raise _explanation(known, path, error) from error
    return list(names), list(ids)


def _explanation(known: Format, path: Path, error: Exception) -> Exception:
    said = str(error).strip().split("\n")[0][:300] or type(error).__name__
    if known.name == "maxwell":
        return RecordingError(
            f"{path}: {said}. Maxwell files are compressed with a closed HDF5 filter (id 401, 'mxw-data'): install "
            "MaxWell's plugin, set HDF5_PLUGIN_PATH to its folder, and for several recordings or wells give rec_name "
            "and stream_id"
        )
    if known.name == "plexon2":
        return RecordingError(
            f"{path}: {said}. Plexon 2 files are read through Plexon's own library, which needs a download and, "
            "outside Windows, wine; convert the file to .plx or NWB with Plexon's tools"
        )
    if known.name == "nwb" and "Multiple ElectricalSeries" in str(error):
        available = str(error).split("are:")[-1].strip().rstrip(".")
        if available == "[]":
            return RecordingError(f"{path} holds no ElectricalSeries: there are no traces in it to open")
        return RecordingError(f"{path} holds several ElectricalSeries; give stream_id as one of {available}")
    if isinstance(error, ImportError):
        package = (error.name or "").partition(".")[0]
        remedy = f"; run pip install {package}" if package else ""
        return ImportError(f"reading {known.description} needs a package that is not installed ({said}){remedy}")
    if "not a multiple of the data-type" in str(error):
        return RecordingError(
            f"a file of {path} ends within a sample, so it was cut or is still being written; copy it again"
        )
    if "same stream" in str(error):
        return RecordingError(f"{path} holds several recordings of one stream; give the folder or the .bin of one")
    if "Multiple experiments" in str(error):
        names = ", ".join(dict.fromkeys(re.findall(r"experiment\d+", str(error))))
        return RecordingError(f"{path} holds several experiments; give experiment_name as one of {names}")
    return RecordingError(f"{path} looks like {known.description}, but could not be read: {said}")
