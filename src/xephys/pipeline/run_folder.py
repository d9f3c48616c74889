"""The folder of one run of a sorter: what was run, how it ended, and its sorting. Written last, whole or absent."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from ..checks import check_choice
from ..errors import OutputError, ParameterError
from ..graph.results import identity_of
from ..io.read.sortings import open_sorting
from ..io.store.atomic import whole_or_absent
from ..io.store.sorting import save_sorting
from ..recording.segments import segments_of
from .failures import Failure, failure_from

#: What to do if a folder already holds a run.
MODES = ("raise", "keep", "overwrite")
RECORD_NAME, SORTING_NAME, WORK_NAME = "run.json", "sorting.zarr", ".work"


@dataclass(frozen=True)
class RunRecord:
    """The record of a finished run.

    Attributes
    ----------
    request
        The request: ``sorter``, ``parameters``, and the ``recording`` identified by its content.
    version
        Version of the sorter.
    run_time_s
        Duration of the run.
    failure
        Why there is no sorting; None if there is one.
    """

    request: Mapping[str, Any]
    version: str
    run_time_s: float
    failure: Failure | None = None


def request_of(sorter: str, recording: xr.DataArray | xr.DataTree, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The identity of a run; nothing of the recording is read.

    Raises
    ------
    ParameterError
        If a parameter is of a kind that cannot be identified, such as a function.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, _ = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> again, _ = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> request_of("simple", recording, {}) == request_of("simple", again, {})
    True
    """
    import hashlib

    known = "|".join(identity_of(segment) for segment in segments_of(recording))
    return {
        "sorter": sorter,
        "parameters": {name: json.loads(json.dumps(value, default=_text_of)) for name, value in parameters.items()},
        "recording": hashlib.sha1(known.encode(), usedforsecurity=False).hexdigest()[:16],
    }


def kept_run(folder: Path, request: Mapping[str, Any], *, mode: str) -> RunRecord | None:
    """The existing run of a folder, if it is to be kept; None if the sorter has to run.

    The next run reuses or replaces what a killed or failed run left.

    Raises
    ------
    ParameterError
        If the mode is unknown.
    OutputError
        If there is a run and ``mode`` is ``"raise"``, or the run to be kept belongs to another request.
    """
    check_choice("mode", mode, MODES)
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; give a folder")
    found = read_run(folder)
    if found is None:
        foreign = folder.is_dir() and any(path.name not in (WORK_NAME, SORTING_NAME) for path in folder.iterdir())
        if foreign:
            raise OutputError(f"{folder} holds other files; give a folder of its own to each run")
        return None
    if mode == "raise":
        raise OutputError(
            f"{folder} holds a run of {found.request.get('sorter')!r} already; choose another folder, or give "
            "mode='keep' or mode='overwrite'"
        )
    if mode == "overwrite":
        return None
    if found.request != dict(request):
        changed = ", ".join(name for name in request if found.request.get(name) != request[name])
        raise OutputError(
            f"{folder} holds a run of another {changed}; choose another folder, or replace it with mode='overwrite'"
        )
    return found if found.failure is None else None


def write_run(folder: Path, record: RunRecord, sorting: xr.DataTree | None) -> None:
    """Write the result of a run: first the sorting, then the record that announces it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RECORD_NAME).unlink(missing_ok=True)
    if sorting is None:
        shutil.rmtree(folder / SORTING_NAME, ignore_errors=True)
    else:
        save_sorting(sorting, folder / SORTING_NAME, overwrite=True)
    stored = {
        "request": dict(record.request),
        "version": record.version,
        "run_time_s": record.run_time_s,
        "failure": None if record.failure is None else record.failure.to_dict(),
    }
    with whole_or_absent(folder / RECORD_NAME, overwrite=True) as hidden:
        hidden.write_text(json.dumps(stored, indent=1, ensure_ascii=False), encoding="utf-8")


def remove_run(folder: Path) -> None:
    """Remove what a run left in a folder, and nothing else that may be there."""
    (folder / RECORD_NAME).unlink(missing_ok=True)
    for name in (SORTING_NAME, WORK_NAME):
        shutil.rmtree(folder / name, ignore_errors=True)


def read_run(folder: Path) -> RunRecord | None:
    """The record of a finished run; None if there is none that can be read."""
    try:
        stored = json.loads((folder / RECORD_NAME).read_text(encoding="utf-8"))
        failure = stored["failure"]
        return RunRecord(
            dict(stored["request"]),
            str(stored["version"]),
            float(stored["run_time_s"]),
            None if failure is None else failure_from(failure),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def sorting_in(folder: Path) -> xr.DataTree:
    """The sorting of a successful run."""
    return open_sorting(folder / SORTING_NAME)


def _text_of(value: Any) -> Any:
    """What JSON does not know: numbers and arrays as values, recordings and sortings by their content."""
    if hasattr(value, "tolist") and not isinstance(value, xr.DataArray):
        return value.tolist()
    known = {node.path: node.to_dataset() for node in value.subtree} if isinstance(value, xr.DataTree) else value
    try:
        return identity_of(known)
    except TypeError as error:
        raise ParameterError(f"a parameter of the sorter cannot be told from another one: {error}") from error
