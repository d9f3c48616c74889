"""Decide which files may be opened without trust: those that hold data only.

A pickle is a program, and SpikeInterface's files can hold pickles in several places: dumps (``.pkl``), properties of
folders (``.npy`` of objects), arrays of a Zarr store (codec ``pickle``), and extensions of an analyzer. Its JSON dumps
name classes that are imported and called. Each of these is examined here before anything is loaded. A file is refused
unless it is plain data, or names only recording and sorting classes of SpikeInterface or this package.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import RecordingError

_PICKLES = (".pkl", ".pickle")
#: Modules whose classes a dump may name.
_TRUSTED_MODULES = ("spikeinterface.", "xephys.io.")
#: SpikeInterface readers that run code in their files, or load a model that may contain code.
_RUNS_CODE = ("phykilosortextractors", "klustaextractors", "sinapsrecordingextractors", "deepinterpolation")
#: Classes that read a whole SpikeInterface folder.
_OF_FOLDERS = ("BinaryFolderRecording", "NumpyFolderSorting", "NpzFolderSorting")
_OF_ZARR = ("ZarrRecordingExtractor", "ZarrSortingExtractor")
#: Files that are written for the record and never loaded.
_NEVER_LOADED = ("provenance.pkl", "provenance.pickle")


def load_spikeinterface(path: Path, *, trust: bool = False, what: str = "recording") -> Any:
    """Load what SpikeInterface saved at a path: a recording, a sorting or an analyzer.

    Parameters
    ----------
    path
        A dump, a folder or a Zarr store.
    trust
        Load it whatever it contains: pickles run code of whoever wrote them.
    what
        The expected kind of object, for the error message.

    Raises
    ------
    RecordingError
        If loading it would run code and it is not trusted, or SpikeInterface does not recognize it.
    """
    from spikeinterface import load

    if not trust:
        check_spikeinterface(path)
    try:
        return load(path)
    except (ValueError, AssertionError, KeyError, OSError, UnboundLocalError, AttributeError, ImportError) as error:
        said = str(error).strip().split("\n")[0][:200] or type(error).__name__
        if isinstance(error, UnboundLocalError):  # raised by SpikeInterface if the kind of object is unknown
            said = "nothing in it says what it is"
        raise RecordingError(f"{path} is not a {what} that can be read ({said})") from error


def check_spikeinterface(path: Path) -> None:
    """Refuse a SpikeInterface dump, folder or Zarr store that would run code when it is loaded.

    Raises
    ------
    RecordingError
        Says what would be run.
    """
    if path.is_file():
        if path.suffix.lower() in _PICKLES:
            raise _refusal(path, "is a pickle")
        check_dump(_json(path), path)
    elif any((path / name).is_file() for name in (".zgroup", ".zmetadata", "zarr.json")):
        check_zarr(path)
    else:
        _check_folder(path)


def check_zarr(path: Path) -> None:
    """Refuse a Zarr store with an array whose codec is ``pickle``, or with a dump that names foreign classes.

    Raises
    ------
    RecordingError
        Names the array.
    """
    for root in _groups(path):
        for name, array in _arrays(root):
            if "pickle" in _codecs(array):
                raise _refusal(path, f"holds pickles in its array {name!r}")
            if array.dtype.kind == "O" and array.size <= 1:
                for value in np.asarray(array[...], object).ravel().tolist():
                    check_dump(value, path)


def _check_folder(path: Path) -> None:
    of_analyzer = (path / "spikeinterface_info.json").is_file() or (path / "waveforms").is_dir()
    for file in sorted(path.rglob("*") if of_analyzer else [*path.glob("*"), *path.glob("properties/*")]):
        if file.suffix.lower() in _PICKLES and file.name not in _NEVER_LOADED:
            raise _refusal(path, f"holds a pickle ({file.relative_to(path)})")
        if file.suffix == ".npy" and _holds_objects(file):
            raise _refusal(path, f"holds objects in {file.relative_to(path)}, which are pickles")
        if file.suffix == ".npz" and _holds_objects_in(file):
            raise _refusal(path, f"holds objects in {file.relative_to(path)}, which are pickles")
        if file.suffix == ".json" and not file.name.startswith("provenance"):
            check_dump(_json(file), file)


def check_dump(value: Any, path: Path | None = None) -> None:
    """Refuse a dump unless all its classes are recordings or sortings of known modules; files that it reads are checked
    too.

    Parameters
    ----------
    value
        Dicts and lists, as read from JSON.
    path
        The file it was read from.

    Raises
    ------
    RecordingError
        Names the class that would be called.
    """
    path = Path("a recording's description") if path is None else path
    for named in _dicts_with_class(value):
        name = str(named["class"])
        module, _, own = name.rpartition(".")
        if not module.startswith(_TRUSTED_MODULES) or any(part in module for part in _RUNS_CODE):
            raise _refusal(path, f"would call {name}")
        if not _is_extractor(module, own):
            raise _refusal(path, f"would call {name}, which is neither a recording nor a sorting")
        folder = named.get("kwargs", {}).get("folder_path") if isinstance(named.get("kwargs"), Mapping) else None
        if isinstance(folder, str) and own in (*_OF_FOLDERS, *_OF_ZARR) and "://" not in folder:
            place = Path(folder) if Path(folder).is_absolute() else path.parent / folder
            if place.resolve() != path.parent.resolve() and place.is_dir():
                check_zarr(place) if own in _OF_ZARR else _check_folder(place)


def _is_extractor(module: str, name: str) -> bool:
    from spikeinterface.core.base import BaseExtractor

    try:
        cls = getattr(importlib.import_module(module), name, None)
    except ImportError:
        return False
    return isinstance(cls, type) and issubclass(cls, BaseExtractor)


def _dicts_with_class(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        if "class" in value and isinstance(value["class"], str) and "." in value["class"] and "kwargs" in value:
            yield value
        for item in value.values():
            yield from _dicts_with_class(item)
    elif isinstance(value, list):
        for item in value:
            yield from _dicts_with_class(item)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise RecordingError(f"{path} is not whole JSON ({error}); copy it again") from error


def _holds_objects(path: Path) -> bool:
    """Whether an ``.npy`` file holds objects, according to its header."""
    with path.open("rb") as file:
        return _header_has_objects(file)


def _holds_objects_in(path: Path) -> bool:
    import zipfile

    try:
        with zipfile.ZipFile(path) as members:
            for name in members.namelist():
                with members.open(name) as file:
                    if _header_has_objects(file):
                        return True
    except zipfile.BadZipFile:  # NumPy would treat it as a pickle
        return True
    return False


def _header_has_objects(file: Any) -> bool:
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        return bool(read(file)[2].hasobject)
    except ValueError:  # not an array, so NumPy would treat it as a pickle
        return True


def _groups(path: Path) -> Iterator[Any]:
    """The store as described by its arrays, and by its consolidated metadata: readers use either."""
    import zarr

    try:
        yield zarr.open_group(str(path), mode="r")
        if (path / ".zmetadata").is_file():
            yield zarr.open_consolidated(str(path), mode="r")
    except Exception as error:  # exceptions differ between versions of Zarr
        raise RecordingError(f"{path} is not a Zarr store that can be opened ({error})") from error


def _arrays(group: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    for name, array in group.arrays():
        yield f"{above}{name}", array
    for name, below in group.groups():
        yield from _arrays(below, f"{above}{name}/")


def _codecs(array: Any) -> set[str]:
    """Names of all codecs of an array, for any version of Zarr."""
    found = [*(array.filters or ()), *(getattr(array, "compressors", None) or ())]
    if hasattr(array, "compressor") and not hasattr(array, "compressors"):
        found.append(array.compressor)
    names = (getattr(one, "codec_id", None) or getattr(one, "codec_name", type(one).__name__) for one in found)
    return {str(name).lower() for name in names}


def _refusal(path: Path, what: str) -> RecordingError:
    return RecordingError(
        f"{path} {what}; loading it would run code of whoever wrote it: if you know who that is, give trust=True "
        "(--trust on the command line)"
    )
