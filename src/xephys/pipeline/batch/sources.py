"""What a batch sorts: files, folders whose files are sorted jointly, and recordings at hand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import xarray as xr

from ...errors import ParameterError, RecordingError
from ...io.read.formats import detect_format
from ...typing import PathLike

#: A path, or a recording at hand: ours, or one of SpikeInterface.
Given: TypeAlias = Any


@dataclass(frozen=True)
class Part:
    """One recording of a batch: the name of its result, and where its traces are."""

    name: str
    given: Given


@dataclass(frozen=True)
class Group:
    """Recordings that are sorted jointly, with the folders of their work and results."""

    name: str
    parts: tuple[Part, ...]
    intermediate: Path
    results: Path

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
        If there is no input, two would share a name or a folder, or there is not one folder per input.
    """
    if isinstance(recording_files, (str, Path, xr.DataArray, xr.DataTree)):
        raise ParameterError("one recording is given; give a list, [recording]")
    listed = list(recording_files)
    if not listed:
        raise ParameterError("the list of recordings is empty; give at least one")
    places = {}
    for what, folders in (("inter", intermediate_folders), ("sorted", results_folders)):
        if folders is not None and len(folders) != len(listed):
            raise ParameterError(
                f"{len(folders)} folders are given for {len(listed)} recordings ({what}); give one for each, or none"
            )
        places[what] = [None] * len(listed) if folders is None else [Path(folder).absolute() for folder in folders]
    groups = []
    for number, given in enumerate(listed):
        name, parts, beside = _parts_of(given, number)
        defaults = {what: beside / f"{what}_{sorter}" / name for what in places}
        inter, results = (places[what][number] or defaults[what] for what in ("inter", "sorted"))
        groups.append(Group(name, parts, inter, results))
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


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Order of names in which 2 comes before 10.

    Examples
    --------
    >>> sorted(["b10", "b2", "a"], key=natural_key)
    ['a', 'b2', 'b10']
    """
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name) if part]


def _parts_of(given: Given, number: int) -> tuple[str, tuple[Part, ...], Path]:
    """Name, recordings, and the folder beside which results go."""
    if not isinstance(given, (str, Path)):
        name = f"recording_{number}"
        return name, (Part(name, given),), Path.cwd()
    path = Path(given).absolute()
    name = path.name.partition(".")[0] or path.name
    if not path.is_dir() or _is_recording(path):
        return name, (Part(name, path),), path.parent
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
    parts = tuple(Part(one.name.partition(".")[0], one) for one in found)
    if len({part.name for part in parts}) < len(parts):
        raise ParameterError(f"two files of {path} have the same name but for their endings; rename one")
    return name, parts, path.parent


def _is_recording(path: Path) -> bool:
    """Whether a folder is one recording, rather than a place where one file happens to lie."""
    try:
        return detect_format(path)[1].is_dir()
    except RecordingError:
        return False


def _may_be_recording(path: Path) -> bool:
    """Whether an entry of a folder is a recording; descriptions beside raw files are not."""
    if path.is_dir():
        return _is_recording(path)
    return path.suffix.lower() not in (".json", ".toml", ".txt", ".md", ".log", ".csv", ".tsv", "")
