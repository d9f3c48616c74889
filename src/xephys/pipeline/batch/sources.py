"""What a batch sorts: files, folders whose files are sorted jointly, and recordings at hand."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import xarray as xr

from ...errors import ParameterError, RecordingError
from ...io.read.formats import detect_format
from ...typing import PathLike
from .results import STAGES_NAME

#: A path, or a recording at hand: ours, or one of SpikeInterface.
Given: TypeAlias = Any

#: Endings of files that lie beside recordings and are none.
BESIDE = frozenset({
    "", ".json", ".toml", ".yaml", ".yml", ".xml", ".ini", ".cfg", ".prb", ".meta", ".txt", ".md", ".log", ".csv",
    ".tsv", ".doc", ".docx", ".xls", ".xlsx", ".pdf", ".html", ".png", ".jpg", ".jpeg", ".svg", ".tif", ".tiff",
    ".avi", ".mp4", ".db", ".py", ".m", ".ipynb", ".npy", ".npz", ".mat",
})  # fmt: skip


@dataclass(frozen=True)
class Part:
    """One recording of a batch: the name of its result, and where its traces are."""

    name: str
    given: Given


@dataclass(frozen=True)
class Group:
    """Recordings that are sorted jointly, with the folders of their work and results.

    ``refused`` is why a folder cannot be sorted: it is the failure of its one part, and the others are sorted.
    """

    name: str
    parts: tuple[Part, ...]
    intermediate: Path
    results: Path
    refused: ParameterError | None = None

    @property
    def has_results(self) -> bool:
        """Whether stages have left results in the folder: this group's, or those of another one."""
        return (self.results / STAGES_NAME).exists()

    def results_of(self, part: Part) -> Path:
        """The folder of one recording's results."""
        return self.results if len(self.parts) == 1 else self.results / part.name


def find_groups(
    recording_files: Sequence[Given],
    *,
    sorter: str,
    intermediate_folders: Sequence[PathLike] | None = None,
    results_folders: Sequence[PathLike] | None = None,
) -> list[Group]:
    """The groups of a batch, in the order of the inputs.

    A folder that is not itself a recording is a group: its recordings of one kind, in the natural order of their names.
    By default, results are beside the input in ``sorted_SORTER/NAME`` and work in ``inter_SORTER/NAME``.

    Raises
    ------
    ParameterError
        If there is no input, two are the same or would share a folder, there is not one folder per input, or no input
        can be sorted.
    """
    if isinstance(recording_files, (str, Path, xr.DataArray, xr.DataTree)):
        raise ParameterError("one recording is given; give a list, [recording]")
    if not isinstance(recording_files, Iterable):
        raise ParameterError(f"recording_files is {recording_files!r}; give a list of paths or recordings")
    listed = list(recording_files)
    if not listed:
        raise ParameterError("the list of recordings is empty; give at least one")
    places = _places_given({"inter": intermediate_folders, "sorted": results_folders}, len(listed))
    names = _names_of(listed)
    groups = []
    for number, (given, name) in enumerate(zip(listed, names, strict=True)):
        refused = None
        try:
            parts, beside = _parts_of(given, name)
        except ParameterError as error:
            path = absolute_path(given)
            refused, parts, beside = error, (Part(name, path),), path.parent
        defaults = {what: beside / f"{what}_{sorter}" / name for what in places}
        inter, results = (places[what][number] or defaults[what] for what in ("inter", "sorted"))
        groups.append(Group(name, parts, inter, results, refused))
    if groups[0].refused is not None and all(group.refused is not None for group in groups):
        raise groups[0].refused
    for group in groups:
        if group.intermediate == group.results:
            raise ParameterError(
                f"{group.name!r} has one folder for work and results, {group.results}; give two, or let them be chosen"
            )
    for what in ("intermediate", "results"):
        used: dict[Path, str] = {}
        for group in groups:
            place = getattr(group, what)
            if place in used:
                raise ParameterError(
                    f"{used[place]!r} and {group.name!r} have the same folder of {what}, {place}; give folders of "
                    "their own, or each recording once"
                )
            used[place] = group.name
    return groups


def _places_given(given: dict[str, Sequence[PathLike] | None], n: int) -> dict[str, list[Path | None]]:
    """Folders of each of ``n`` recordings, by what they are for; None where one has to be chosen.

    Raises
    ------
    ParameterError
        If there is not one folder for each recording.
    """
    places: dict[str, list[Path | None]] = {}
    for what, folders in given.items():
        if isinstance(folders, (str, Path)):
            raise ParameterError(f"one folder is given, {str(folders)!r}; give a list with one for each recording")
        if folders is not None and len(folders) != n:
            raise ParameterError(
                f"{len(folders)} folders are given for {n} recordings ({what}); give one for each, or none"
            )
        places[what] = [None] * n if folders is None else [absolute_path(folder) for folder in folders]
    return places


def absolute_path(path: PathLike) -> Path:
    """A path from the root, without ``..``, which would be no name for a folder of results."""
    return Path(os.path.normpath(Path(path).absolute()))


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Order of names in which 2 comes before 10.

    Examples
    --------
    >>> sorted(["b10", "b2", "a"], key=natural_key)
    ['a', 'b2', 'b10']
    """
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name) if part]


def names_of(files: Sequence[str]) -> list[str]:
    """What stands before the first dot of each file's name; where that is not unique, all but its ending, or all.

    Examples
    --------
    >>> names_of(["plate.raw.h5", "run.imec0.bin", "run.imec1.bin", "2026.11.27", "2026.11.28"])
    ['plate', 'run.imec0', 'run.imec1', '2026.11.27', '2026.11.28']
    """
    tried = [[name.partition(".")[0], name.rpartition(".")[0], name] for name in files]
    counts = Counter(one for names in tried for one in set(names[:2]))
    return [next((one for one in names[:2] if one and counts[one] == 1), names[2]) for names in tried]


def _names_of(listed: Sequence[Given]) -> list[str]:
    """Names of inputs. Only those in one folder have to differ; folders are named in full."""
    paths = [absolute_path(given) if isinstance(given, (str, Path)) else None for given in listed]
    names = [f"recording_{number}" for number in range(len(listed))]
    for folder in {path.parent for path in paths if path is not None}:
        here = [number for number, path in enumerate(paths) if path is not None and path.parent == folder]
        different = list(dict.fromkeys(paths[number].name for number in here))  # type: ignore[union-attr]
        by_file = dict(zip(different, names_of(different), strict=True))
        for number in here:
            names[number] = by_file[paths[number].name]  # type: ignore[union-attr]
    return names


def _parts_of(given: Given, name: str) -> tuple[tuple[Part, ...], Path]:
    """The recordings of an input, and the folder beside which results go."""
    if not isinstance(given, (str, Path)):
        return (Part(name, given),), Path.cwd()
    path = absolute_path(given)
    if not path.is_dir() or _is_recording(path):
        return (Part(name, path),), path.parent
    own = ("inter_", "sorted_")
    found = [one for one in path.iterdir() if not one.name.startswith((".", *own)) and _may_be_recording(one)]
    kinds = sorted({one.suffix for one in found})
    if not found:
        raise ParameterError(f"{path} holds no recording; give a folder of recordings of one kind")
    if len(kinds) > 1:
        raise ParameterError(
            f"{path} holds files of {len(kinds)} kinds ({', '.join(kinds)}); a folder that is sorted jointly holds one"
        )
    found.sort(key=lambda one: natural_key(one.name))
    names = names_of([one.name for one in found])
    return tuple(Part(own_name, one) for own_name, one in zip(names, found, strict=True)), path.parent


def _is_recording(path: Path) -> bool:
    """Whether a folder is one recording, rather than a place where one file happens to lie."""
    try:
        return detect_format(path)[1].is_dir()
    except RecordingError:
        return False


def _may_be_recording(path: Path) -> bool:
    """Whether an entry of a folder is a recording; descriptions, notes and pictures beside recordings are not."""
    if path.is_dir():
        return _is_recording(path)
    return path.suffix.lower() not in BESIDE
