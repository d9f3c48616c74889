"""``run_sorters``: run many sorters on many recordings, as nodes of one lazy graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import xarray as xr

from ..checks import hint_for
from ..errors import ParameterError
from ..graph.jobs import compute_jobs, make_job
from ..typing import PathLike
from .failures import Failure, failure_of
from .run_sorter import FinishedRun, PlannedRun, joined_sorting, planned_runs
from .sorters import Recording, find_sorter

if TYPE_CHECKING:
    import pandas as pd

#: A sorter: its name, its name with parameters, or a function.
SorterSpec: TypeAlias = str | tuple[str | Callable[..., xr.DataTree], Mapping[str, Any]] | Callable[..., xr.DataTree]


def run_sorters(
    sorters: Sequence[str] | Mapping[str, SorterSpec],
    recordings: Sequence[Recording] | Mapping[str, Recording],
    *,
    folder: PathLike | None = None,
    mode: str = "raise",
    by: str | None = None,
    keep_work: bool = False,
    resources: Mapping[str, Mapping[str, float]] | None = None,
) -> SorterRuns:
    """Run many sorters on many recordings: one lazy node per sorter, recording and part of the channels.

    Nothing runs until :meth:`SorterRuns.compute`, which uses the active Dask cluster, or threads of this process. A
    failing run becomes a classified failure and does not affect the others.

    Parameters
    ----------
    sorters
        Names from :func:`xephys.available_sorters`; or a mapping from your own labels to a name, ``(name, parameters)``
        or a function: ``{"low": ("xephys_default", {"detect_threshold": 4})}``.
    recordings
        Recordings by name; those in a list are named ``"0"``, ``"1"``, ...
    folder
        Each run is stored in ``folder/RECORDING/SORTER``; on a cluster, all workers must see it. If None, sortings are
        returned in memory.
    mode, by, keep_work
        As in :func:`xephys.run_sorter`. With ``mode="keep"``, a stopped study resumes without repeating finished runs.
    resources
        Resources that a sorter needs from its worker, by label, such as ``{"kilosort4": {"GPU": 1}}``.

    Raises
    ------
    ParameterError
        If a sorter or one of its parameters does not exist, or a name or label cannot be used as a folder name.
    OutputError
        If a folder already holds a run that is neither to be kept nor to be overwritten.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=10, n_channels=8, n_units=2, seed=0)
    >>> def silent(recording):
    ...     raise ValueError("no spikes")
    >>> runs = run_sorters({"ours": "xephys_default", "silent": silent}, {"monday": recording})
    >>> runs
    <SorterRuns: 2 sorters x 1 recordings, 2 runs, not computed>
    >>> results = runs.compute()
    >>> results
    <SorterResults: 1 results, 1 failures>
    >>> results.failures["monday", "silent"].message
    'no spikes'
    """
    if isinstance(sorters, str):
        raise ParameterError(f"sorters is a text; give a list, such as [{sorters!r}]")
    if isinstance(recordings, (xr.DataArray, xr.DataTree)):
        raise ParameterError(
            "recordings is one recording; give a list or a dict by name, such as {'monday': recording}"
        )
    named = dict(recordings) if isinstance(recordings, Mapping) else {str(k): r for k, r in enumerate(recordings)}
    labeled = dict(sorters) if isinstance(sorters, Mapping) else {name: name for name in sorters}
    for name in (*named, *labeled):
        if not isinstance(name, str) or not name or name.startswith(".") or "/" in name or "\\" in name:
            raise ParameterError(f"{name!r} cannot be the name of a folder; call recordings and sorters otherwise")
    for label in resources or {}:
        if label not in labeled:
            raise ParameterError(
                f"resources are given for {label!r}, which is not a sorter here{hint_for(label, labeled)}"
            )
    planned: dict[tuple[str, str], list[PlannedRun]] = {}
    for recording_name, recording in named.items():
        for label, spec in labeled.items():
            sorter_name, parameters = spec if isinstance(spec, tuple) else (spec, {})
            sorter = find_sorter(sorter_name)
            sorter.check(parameters)
            planned[recording_name, label] = planned_runs(
                sorter,
                recording,
                folder=None if folder is None else Path(folder) / recording_name / label,
                mode=mode,
                by=by,
                keep_work=keep_work,
                parameters=parameters,
            )
    return SorterRuns(planned, by, {label: dict(needs) for label, needs in (resources or {}).items()})


@dataclass(frozen=True)
class SorterRuns:
    """Planned runs of sorters, not computed yet.

    Attributes
    ----------
    planned
        The runs by recording and sorter: a single one, or one for each part of the channels.
    by
        Coordinate by which the channels are split.
    resources
        Resources needed from a worker, by sorter.
    """

    planned: Mapping[tuple[str, str], list[PlannedRun]]
    by: str | None = None
    resources: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __repr__(self) -> str:
        recordings, sorters = ({key[k] for key in self.planned} for k in (0, 1))
        return f"<SorterRuns: {len(sorters)} sorters x {len(recordings)} recordings, {len(self)} runs, not computed>"

    def __len__(self) -> int:
        return sum(map(len, self.planned.values()))

    @property
    def jobs(self) -> dict[tuple[str, str, Any], Any]:
        """Dask's delayed objects by recording, sorter and part, for your own graph; each returns a finished run."""
        return {
            (recording, label, run.part): make_job(
                run.attempt,
                name=f"{label}-{recording}-{'all' if run.part is None else run.part}-{run.request['recording']}",
                resources=self.resources.get(label),
            )
            for (recording, label), runs in self.planned.items()
            for run in runs
        }

    def compute(self, *, n_at_once: int = 1) -> SorterResults:
        """Run everything that is not already there to be kept.

        Parameters
        ----------
        n_at_once
            Number of runs side by side in this process, each with its own threads; on a cluster, the workers decide.

        Returns
        -------
        Every run with its sorting or its failure.
        """
        jobs = self.jobs
        places = [(run.part, run.folder) for runs in self.planned.values() for run in runs]

        def lost(number: int, error: BaseException) -> FinishedRun:
            part, folder = places[number]
            return FinishedRun(part, folder, None, failure_of(error), float("nan"))

        ended = iter(compute_jobs(list(jobs.values()), n_at_once=n_at_once, lost=lost))
        return SorterResults({key: [next(ended) for _ in runs] for key, runs in self.planned.items()}, self.by)


@dataclass(frozen=True)
class SorterResults(Mapping[tuple[str, str], xr.DataTree]):
    """Sortings by recording and sorter, and failures; ``results["monday", "kilosort4"]`` is one sorting.

    Attributes
    ----------
    runs
        Finished runs by recording and sorter: a single one, or one for each part of the channels.
    by
        Coordinate by which the channels were split; the units of the parts are combined.
    """

    runs: Mapping[tuple[str, str], list[FinishedRun]]
    by: str | None = None

    def __repr__(self) -> str:
        return f"<SorterResults: {len(self)} results, {len(self.failures)} failures>"

    def __getitem__(self, key: tuple[str, str]) -> xr.DataTree:
        if key in self.failures:
            raise KeyError(f"{key} has no sorting: {self.failures[key]}")
        return joined_sorting(self.runs[key], by=self.by)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter([key for key in self.runs if key not in self.failures])

    def __len__(self) -> int:
        return len(self.runs) - len(self.failures)

    @property
    def failures(self) -> dict[tuple[str, str], Failure]:
        """The failure of each recording and sorter that has one; if several parts failed, that of the first."""
        first = {key: next((run.failure for run in runs if run.failure), None) for key, runs in self.runs.items()}
        return {key: failure for key, failure in first.items() if failure is not None}

    def table(self) -> pd.DataFrame:
        """One row per run: ``recording``, ``sorter``, ``part``, ``status``, ``message``, ``run_time_s``, ``kept``.

        ``status`` is ``"done"`` or the kind of the failure.
        """
        import pandas as pd

        rows = [
            {
                "recording": recording,
                "sorter": label,
                "part": run.part,
                "status": "done" if run.failure is None else run.failure.kind,
                "message": "" if run.failure is None else run.failure.message,
                "run_time_s": run.run_time_s,
                "kept": run.kept,
            }
            for (recording, label), runs in self.runs.items()
            for run in runs
        ]
        return pd.DataFrame(rows)
