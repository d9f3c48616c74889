"""Recognize the format of a path and choose the SpikeInterface reader for it: a table with one row per format."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import ParameterError, RecordingError, readers_silenced
from .format_hints import unknown_format

_WHITEMATTER = re.compile(r"_(\d+)ch_(\d+)sps")
_SCAN_LIMIT = 5000


@dataclass(frozen=True)
class Format:
    """A file format: how it is recognized and read.

    ``locate`` returns what the reader takes (a file or a folder), or None if the path is not in this format. ``reader``
    is SpikeInterface's name of the reader, and ``argument`` its name for the path.
    """

    name: str
    description: str
    locate: Callable[[Path], Path | None]
    reader: str
    argument: str = "file_path"
    has_streams: bool = True


def detect_format(path: Path) -> tuple[Format, Path]:
    """The format of an existing path, and the path that its reader takes.

    Raises
    ------
    RecordingError
        If no known format fits.
    """
    for known in FORMATS:
        found = known.locate(path)
        if found is not None:
            return known, found
    raise RecordingError(unknown_format(path, {known.name: known.description for known in FORMATS}))


def format_named(name: str, path: Path) -> tuple[Format, Path]:
    """The format with this name, regardless of what the path looks like."""
    by_name = {known.name: known for known in FORMATS}
    if name not in by_name:
        near = difflib.get_close_matches(name.lower(), by_name, n=1, cutoff=0.3)
        hint = f"; the nearest is {near[0]!r}" if near else ""
        raise ParameterError(f"format {name!r} does not exist; there are {', '.join(by_name)}{hint}")
    known = by_name[name]
    return known, known.locate(path) or path


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
        match = _WHITEMATTER.search(path.name)
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
                # Maxwell's opens even without the filter that reading its samples requires; an NWB file may name more
                # electrodes than its samples have columns.
                n_columns = recording.get_traces(segment_index=0, start_frame=0, end_frame=1).shape[1]
                n_channels = recording.get_num_channels()
                if n_columns != n_channels:
                    raise RecordingError(
                        f"{path} names {n_channels} channels and its samples are of {n_columns}: the file contradicts "
                        "itself; correct it, or read its samples with h5py and use make_recording"
                    )
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


#: Exceptions of readers for files they cannot read; Neo and h5py use plain assertions and bare exceptions.
_READER_ERRORS = (
    ValueError,
    AssertionError,
    OSError,
    ImportError,
    KeyError,
    IndexError,
    TypeError,
    NotImplementedError,
)


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
    if "Multiple experiments" in str(error):
        names = ", ".join(dict.fromkeys(re.findall(r"experiment\d+", str(error))))
        return RecordingError(f"{path} holds several experiments; give experiment_name as one of {names}")
    return RecordingError(f"{path} looks like {known.description}, but could not be read: {said}")


def _suffix(*suffixes: str) -> Callable[[Path], Path | None]:
    """A file with one of these suffixes, or the only such file in a folder."""

    def locate(path: Path) -> Path | None:
        if path.is_file():
            return path if path.suffix.lower() in suffixes else None
        found = sorted(p for p in path.iterdir() if p.suffix.lower() in suffixes and p.is_file())
        return found[0] if len(found) == 1 else None

    return locate


def _zarr(path: Path) -> Path | None:
    return path if any((path / name).is_file() for name in (".zgroup", ".zmetadata", "zarr.json")) else None


def _si_folder(path: Path) -> Path | None:
    return (
        path if path.is_dir() and any((path / name).is_file() for name in ("binary.json", "si_folder.json")) else None
    )


def _si_dump(path: Path) -> Path | None:
    if not path.is_file() or path.suffix not in {".json", ".pkl", ".pickle"}:
        return None
    return path if path.suffix != ".json" or b'"kwargs"' in path.read_bytes()[: 2**20] else None


def _spikeglx(path: Path) -> Path | None:
    if path.is_file():
        return path.parent if path.suffix == ".bin" and path.with_suffix(".meta").is_file() else None
    return path if any(p.with_suffix(".meta").is_file() for p in _below(path, "*.bin")) else None


def _openephys_binary(path: Path) -> Path | None:
    if path.is_file():
        if path.name == "continuous.dat" and (path.absolute().parents[2] / "structure.oebin").is_file():
            return path.absolute().parents[2]
        return path.absolute().parent if path.name == "structure.oebin" else None
    return path if any(_below(path, "structure.oebin")) else None


def _openephys_legacy(path: Path) -> Path | None:
    if path.is_file():
        return path.parent if path.suffix == ".continuous" else None
    folders = {p.parent for p in _below(path, "*.continuous")}
    return folders.pop() if len(folders) == 1 else None


def _intan(path: Path) -> Path | None:
    return _suffix(".rhd", ".rhs")(path)


def _blackrock(path: Path) -> Path | None:
    if path.is_file():
        return path if re.fullmatch(r"\.ns[1-9]", path.suffix.lower()) else None
    found = sorted((p for p in path.iterdir() if re.fullmatch(r"\.ns[1-9]", p.suffix.lower())), key=lambda p: p.suffix)
    one = len({p.stem for p in found}) == 1
    return found[-1] if one else None


def _neuralynx(path: Path) -> Path | None:
    if path.is_file():
        return path.parent if path.suffix.lower() == ".ncs" else None
    return path if any(p.suffix.lower() == ".ncs" for p in path.iterdir()) else None


def _tdt(path: Path) -> Path | None:
    if path.is_file():
        return path.parent if path.suffix.lower() in {".tsq", ".tev", ".tbk"} else None
    return path if any(p.suffix.lower() == ".tsq" for p in path.iterdir()) else None


def _whitematter(path: Path) -> Path | None:
    """A file whose name gives channels and rate, or the only such file in a folder."""
    files = [path] if path.is_file() else [p for p in path.iterdir() if p.is_file()]
    found = [p for p in files if p.suffix == ".bin" and _WHITEMATTER.search(p.name)]
    return found[0] if len(found) == 1 else None


def _hdf5(is_format: Callable[[Any], bool]) -> Callable[[Path], Path | None]:
    def locate(path: Path) -> Path | None:
        if not path.is_file() or path.suffix.lower() not in {".h5", ".hdf5", ".brw", ".bxr"}:
            return None
        import h5py

        try:
            with h5py.File(path, "r") as file:
                return path if is_format(file) else None
        except OSError:
            return None

    return locate


def _below(path: Path, pattern: str) -> Iterable[Path]:
    """Files below a folder that match, after looking at no more than a few thousand of them."""
    if path.is_dir():
        for count, found in enumerate(path.rglob(pattern)):
            if count >= _SCAN_LIMIT:
                return
            yield found


#: In the order of trial: formats recognized by content come before those recognized by suffix.
FORMATS: tuple[Format, ...] = (
    Format("zarr", "a Zarr store written by save_recording or SpikeInterface", _zarr, "zarr", "folder_path", False),
    Format("si-folder", "a SpikeInterface folder", _si_folder, "binaryfolder", "folder_path", False),
    Format("si-dump", "a SpikeInterface .json or .pkl", _si_dump, "", "file_path", False),
    Format("spikeglx", "SpikeGLX, .bin beside .meta", _spikeglx, "spikeglx", "folder_path"),
    Format(
        "openephys-binary", "Open Ephys binary, structure.oebin", _openephys_binary, "openephysbinary", "folder_path"
    ),
    Format("openephys-legacy", "Open Ephys legacy, .continuous", _openephys_legacy, "openephyslegacy", "folder_path"),
    Format("neuralynx", "Neuralynx, .ncs", _neuralynx, "neuralynx", "folder_path"),
    Format("intan", "Intan, .rhd or .rhs", _intan, "intan"),
    Format("blackrock", "Blackrock, .ns1 to .ns6", _blackrock, "blackrock"),
    Format("plexon", "Plexon, .plx", _suffix(".plx"), "plexon"),
    Format("plexon2", "Plexon 2, .pl2", _suffix(".pl2"), "plexon2"),
    Format("nwb", "NWB", _suffix(".nwb"), "nwb", "file_path", False),
    Format("mearec", "MEArec", _hdf5(lambda f: "info" in f and "channel_positions" in f), "mearec", "file_path", False),
    Format("maxwell", "MaxWell", _hdf5(lambda f: "mxw_version" in f or "wells" in f), "maxwell"),
    Format(
        "mcsh5", "Multi Channel Systems HDF5", _hdf5(lambda f: "Data/Recording_0" in f), "mcsh5", "file_path", False
    ),
    Format("biocam", "3Brain BioCam, .brw", _hdf5(lambda f: "3BRecInfo" in f or "ExperimentSettings" in f), "biocam"),
    Format("whitematter", "White Matter, …_64ch_25000sps….bin", _whitematter, "whitematter", "file_path", False),
    Format("spikegadgets", "SpikeGadgets, .rec", _suffix(".rec"), "spikegadgets"),
    Format("neuronexus", "NeuroNexus, .xdat.json", _suffix(".xdat"), "neuronexus"),
    Format("tdt", "Tucker-Davis, .tsq", _tdt, "tdt", "folder_path"),
    Format("edf", "EDF, .edf", _suffix(".edf"), "edf"),
    Format("axona", "Axona, .set", _suffix(".set"), "axona", "file_path", False),
    Format("spike2", "Spike2, .smr", _suffix(".smr"), "spike2"),
    Format("ced", "CED, .smrx", _suffix(".smrx"), "ced"),
    Format("axon", "Axon, .abf", _suffix(".abf"), "axon"),
)
