"""Recognize the format of a path: a table with one row per format, and the reader of SpikeInterface for each."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ...errors import ParameterError, RecordingError
from .format_hints import unknown_format

#: Number of channels and rate in hertz, as the names of White Matter's files give them.
WHITEMATTER = re.compile(r"_(\d+)ch_(\d+)sps")
#: Files below a folder that are looked at before it is given up.
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
    inside = _recordings_in(path)
    if inside:
        listed = ", ".join(inside[:6]) + " …" * (len(inside) > 6)
        raise RecordingError(f"{path} is a folder with {len(inside)} recordings, {listed}; give the path of one")
    raise RecordingError(unknown_format(path, {known.name: known.description for known in FORMATS}))


def _recordings_in(path: Path) -> list[str]:
    """Names of the files in a folder that open by themselves; none if the path is a file."""
    files = [one for one in islice(path.iterdir(), _SCAN_LIMIT) if one.is_file()] if path.is_dir() else []
    return sorted(one.name for one in files if any(known.locate(one) is not None for known in FORMATS))


def format_named(name: str, path: Path) -> tuple[Format, Path]:
    """The format with this name, regardless of what the path looks like."""
    by_name = {known.name: known for known in FORMATS}
    if name not in by_name:
        near = difflib.get_close_matches(name.lower(), by_name, n=1, cutoff=0.3)
        hint = f"; the nearest is {near[0]!r}" if near else ""
        raise ParameterError(f"format {name!r} does not exist; there are {', '.join(by_name)}{hint}")
    known = by_name[name]
    return known, known.locate(path) or path


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
    if path.name == "continuous" and (path.absolute().parent / "structure.oebin").is_file():
        return path.absolute().parent
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
    found = [p for p in files if p.suffix == ".bin" and WHITEMATTER.search(p.name)]
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
