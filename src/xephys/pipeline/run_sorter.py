"""``run_sorter``: run one sorter, ours or another, on one recording."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..checks import check_choice
from ..curate.together import aggregate_units
from ..graph.keep.folder import scratch_folder
from ..recording.channels import split_channels
from ..recording.segments import segments_of, tree_of
from ..sorting import unit_ids_of
from ..typing import PathLike
from .failures import Failure, failure_of
from .run_folder import MODES, WORK_NAME, RunRecord, kept_run, remove_run, request_of, sorting_in, write_run
from .sorters import Recording, Sorter, find_sorter


def run_sorter(
    name: str | Callable[..., xr.DataTree],
    recording: Recording,
    *,
    folder: PathLike | None = None,
    mode: str = "raise",
    by: str | None = None,
    keep_work: bool = False,
    **parameters: Any,
) -> xr.DataTree:
    """Run a sorter on a recording: one of our presets, or a sorter that SpikeInterface wraps. Computes.

    Parameters
    ----------
    name
        One of :func:`xephys.available_sorters`, or a function of your own, ``(recording, **parameters)``, that returns
        a sorting.
    recording
        Raw traces with dims ``(time, channel)``, or a DataTree of segments. Other sorters read the recording through
        the bridge, chunk by chunk, with its segments joined one after the other.
    folder
        Directory for the sorting and the record of the run (``run.json``); a stopped preset resumes there. If None, a
        temporary directory is used and removed afterwards.
    mode
        What to do if the folder already holds a run: ``"raise"``, ``"keep"`` (the sorting is opened if the run
        succeeded with the same parameters on the same recording; a failed run is repeated) or ``"overwrite"``.
    by
        Name of a coordinate on ``channel``, such as ``"group"``. Its parts are sorted one after the other, each in its
        own folder, and their units are combined, with that coordinate as a column.
    keep_work
        Keep the sorter's own files beside the sorting; those of a failed run are always kept.
    **parameters
        Parameters of the sorter, see :func:`xephys.sorter_parameters`. ``docker_image=True`` or
        ``singularity_image=True`` (or the name of an image) runs it in a container.

    Returns
    -------
    The sorting, in the form of :func:`xephys.sort`.

    Raises
    ------
    ParameterError
        If the sorter, a parameter or the mode does not exist.
    OutputError
        If the folder already holds a run that must not be replaced.
    ImportError
        If the sorter is not installed.
    SorterError, ResourceError, RecordingError
        If the sorter fails: by itself, for lack of memory or disk, or because of the recording.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=10, n_channels=8, n_units=2, seed=0)
    >>> sorting = run_sorter("xephys_default", recording)
    >>> sorting["units"].sizes["unit"] >= 1
    True
    """
    sorter = find_sorter(name)
    sorter.check(parameters)
    runs = planned_runs(sorter, recording, folder=folder, mode=mode, by=by, keep_work=keep_work, parameters=parameters)
    return joined_sorting([run.start() for run in runs], by=by)


@dataclass(frozen=True)
class PlannedRun:
    """One sorter on one recording, or on part of its channels, before it has run.

    Attributes
    ----------
    sorter, recording, parameters
        Sorter, its input and its parameters.
    request
        Identity of the run.
    folder
        Directory for its results; None if they are not stored.
    mode
        As in :func:`run_sorter`.
    part
        Value of the coordinate for this part; None for the whole recording.
    keep_work
        As in :func:`run_sorter`.
    """

    sorter: Sorter
    recording: Recording
    parameters: Mapping[str, Any]
    request: Mapping[str, Any]
    folder: Path | None = None
    mode: str = "raise"
    part: Any = None
    keep_work: bool = False

    def start(self) -> FinishedRun:
        """Run the sorter, unless there is a run to be kept."""
        if self.folder is None:
            with scratch_folder() as folder:
                return self._run(folder, keep=False)
        if self.mode == "overwrite" and self.folder.exists():
            remove_run(self.folder)
        found = kept_run(self.folder, self.request, mode=self.mode)
        if found is not None:
            return FinishedRun(self.part, self.folder, None, None, found.run_time_s, kept=True)
        return self._run(self.folder, keep=True)

    def attempt(self) -> FinishedRun:
        """Run the sorter; an error becomes a failure that is stored like a result."""
        begin = time.perf_counter()
        try:
            return self.start()
        except Exception as error:  # noqa: BLE001 - whatever a sorter raises, the other runs continue
            failure = failure_of(error)
        taken = time.perf_counter() - begin
        if self.folder is not None and failure.kind != "output":
            write_run(self.folder, self._record(taken, failure), None)
        return FinishedRun(self.part, self.folder, None, failure, taken)

    def _run(self, folder: Path, *, keep: bool) -> FinishedRun:
        work = folder / WORK_NAME
        work.mkdir(parents=True, exist_ok=True)
        begin = time.perf_counter()
        sorting = self.sorter.run(self.recording, work, self.parameters)
        taken = time.perf_counter() - begin
        if not keep:
            return FinishedRun(self.part, None, sorting, None, taken)
        write_run(folder, self._record(taken), sorting)
        if not self.keep_work:
            shutil.rmtree(work, ignore_errors=True)
        return FinishedRun(self.part, folder, None, None, taken)

    def _record(self, taken: float, failure: Failure | None = None) -> RunRecord:
        return RunRecord(self.request, self.sorter.version(), taken, failure)


@dataclass(frozen=True)
class FinishedRun:
    """The outcome of a run.

    Attributes
    ----------
    part
        Value of the coordinate by which the channels were split; None for the whole recording.
    folder
        Directory of its results; None if they are only in memory.
    kept_sorting
        The sorting, if there is no folder.
    failure
        Why there is no sorting; None if there is one.
    run_time_s
        Duration of the sorter.
    kept
        Whether the run already existed.
    """

    part: Any
    folder: Path | None
    kept_sorting: xr.DataTree | None
    failure: Failure | None
    run_time_s: float
    kept: bool = False

    def sorting(self) -> xr.DataTree:
        """The sorting, opened from its folder if it has one."""
        if self.kept_sorting is not None:
            return self.kept_sorting
        assert self.folder is not None and self.failure is None
        return sorting_in(self.folder)


def planned_runs(
    sorter: Sorter,
    recording: Recording,
    *,
    folder: PathLike | None,
    mode: str,
    by: str | None,
    keep_work: bool,
    parameters: Mapping[str, Any],
) -> list[PlannedRun]:
    """The runs of one sorter on one recording: a single one, or one for each part of the channels.

    Raises
    ------
    ParameterError
        If the channels have no such coordinate, or the mode is unknown.
    OutputError
        If a folder holds a run that must not be replaced.
    """
    check_choice("mode", mode, MODES)
    place = None if folder is None else Path(folder).absolute()
    parts = {None: recording} if by is None else _parts(recording, by)
    runs = []
    for part, piece in parts.items():
        request = request_of(sorter.name, piece, parameters)
        own = place if place is None or part is None else place / f"{by}_{part}"
        run = PlannedRun(sorter, piece, dict(parameters), request, own, mode, part, keep_work)
        if own is not None:
            kept_run(own, request, mode=mode)
        runs.append(run)
    return runs


def joined_sorting(runs: list[FinishedRun], *, by: str | None) -> xr.DataTree:
    """Combine the sortings of parts of the channels; each unit keeps the name of its part."""
    if by is None:
        return runs[0].sorting()
    trees = []
    for run in runs:
        tree = run.sorting().copy()
        column = np.full(len(unit_ids_of(tree)), run.part)
        tree["units"] = xr.DataTree(tree["units"].to_dataset().assign({by: ("unit", column)}))
        trees.append(tree)
    return aggregate_units(trees)


def _parts(recording: Recording, by: str) -> dict[Any, Recording]:
    apart = [split_channels(segment, by=by) for segment in segments_of(recording)]
    if len(apart) == 1:
        return dict(apart[0])
    return {part: tree_of([segment[part] for segment in apart]) for part in apart[0]}
