"""``sort_recording`` and ``sort_multistream``: many recordings as one lazy graph, with a result for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ...errors import ParameterError
from ...graph.jobs import compute_jobs, make_job
from ...sorter.progress import Report
from ...typing import PathLike
from ..config.config import SortingPipelineConfig
from ..failures import failure_of
from ..memory_size import bytes_of
from .backends import backend_of
from .group import sort_group
from .pictures import draw_batch
from .report import write_batch_files
from .results import BatchResults, RecordingResult
from .sources import Given, Group, find_groups

#: Memory that one recording takes while it is sorted, whatever its length: chunks, white traces, templates.
BYTES_PER_RECORDING = 4 << 30


def sort_recording(
    recording_files: Sequence[Given],
    config: SortingPipelineConfig | None = None,
    sorter: str | None = None,
    intermediate_folders: Sequence[PathLike] | None = None,
    results_folders: Sequence[PathLike] | None = None,
    *,
    n_at_once: int | None = None,
    resources: Mapping[str, float] | None = None,
    progress: Report | None = None,
    **kwargs: Any,
) -> BatchResults:
    """Sort, curate and compile many recordings. Computes; a stopped batch resumes.

    Parameters
    ----------
    recording_files
        Paths of recordings, recordings at hand, or folders: the recordings in a folder are joined as segments without
        copying them, sorted jointly, and their units are split by recording again.
    config
        The configuration; all defaults if None.
    sorter
        Name of the back-end; that of the configuration if None. It becomes the configuration's, so that both never
        disagree.
    intermediate_folders, results_folders
        Folders for work and for results, one per input. By default beside it, in ``inter_SORTER/NAME`` and
        ``sorted_SORTER/NAME``.
    n_at_once
        Recordings that are sorted side by side in this process; by default, as fit into ``total_memory`` and onto the
        cores. On a cluster, the workers decide.
    resources
        What a worker of the cluster must have for a recording, such as ``{"GPU": 1}``, and how much of it is taken.
    progress
        Function of ``(stage, done, total)``, called after each chunk of each recording.
    **kwargs
        Fields of the configuration by short names; they override ``config``.

    Returns
    -------
    A result for each recording in the order of the inputs: units, or a classified failure.

    Raises
    ------
    ParameterError
        If the configuration, a name or a number of folders does not fit. Whatever is wrong with a single recording is
        its result, and the others are sorted.

    Examples
    --------
    >>> import tempfile
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=10, n_channels=8, n_units=2, seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     results = sort_recording(
    ...         [recording], results_folders=[folder + "/out"], intermediate_folders=[folder + "/work"], snr_min=3,
    ...         preflight=False,
    ...     )
    ...     results[0].status, results[0].spike_data.n_units >= 1
    ('success', True)
    """
    _check_running(resources, progress)
    chosen = _configured(config, sorter, kwargs)
    groups = find_groups(
        recording_files,
        sorter=chosen.sorter.sorter_name,
        intermediate_folders=intermediate_folders,
        results_folders=results_folders,
    )
    return _sort_groups(
        [(group, chosen) for group in groups], n_at_once=n_at_once, resources=resources, progress=progress
    )


def sort_multistream(
    recording: Given,
    stream_ids: Sequence[str],
    config: SortingPipelineConfig | None = None,
    sorter: str | None = None,
    *,
    n_at_once: int | None = None,
    resources: Mapping[str, float] | None = None,
    progress: Report | None = None,
    **kwargs: Any,
) -> dict[str, BatchResults]:
    """Sort several streams (wells) of a recording, or of each recording in a folder, as one batch. Computes.

    Parameters
    ----------
    recording
        Path of a file with several streams, or of a folder of such files, which are sorted jointly stream by stream.
    stream_ids
        Names of the streams, such as ``["well000", "well001"]``.
    config, sorter, n_at_once, resources, progress, **kwargs
        As for :func:`sort_recording`; ``stream_id`` and folders are chosen here, below the default ones.

    Returns
    -------
    Results by stream.

    Raises
    ------
    ParameterError
        If a stream is named twice, none is given, or ``stream_id`` or folders are.
    """
    for name in ("stream_id", "intermediate_folders", "results_folders"):
        if name in kwargs:
            raise ParameterError(f"{name} is given, and sort_multistream chooses it for each stream; leave it out")
    streams = list(stream_ids)
    if isinstance(stream_ids, str) or not streams or len(set(streams)) < len(streams):
        raise ParameterError(f"stream_ids is {stream_ids!r}; give a list of different names")
    _check_running(resources, progress)
    chosen = _configured(config, sorter, kwargs)
    (whole,) = find_groups([recording], sorter=chosen.sorter.sorter_name)
    planned = []
    for stream in streams:
        own = Group(f"{whole.name}/{stream}", whole.parts, whole.intermediate / stream, whole.results / stream)
        planned.append((own, chosen.override(stream_id=stream)))
    results = _sort_groups(planned, n_at_once=n_at_once, resources=resources, progress=progress)
    n = len(whole.parts)
    return {stream: BatchResults(results.results[k * n : (k + 1) * n]) for k, stream in enumerate(streams)}


def _check_running(resources: object, progress: object) -> None:
    """Refuse what would fail only on a worker, or after the first chunk."""
    if resources is not None and not (
        isinstance(resources, Mapping) and all(isinstance(n, (int, float)) and n > 0 for n in resources.values())
    ):
        raise ParameterError(f"resources is {resources!r}; give names and how much of each is taken, as {{'GPU': 1}}")
    if progress is not None and not callable(progress):
        raise ParameterError(f"progress is {progress!r}; give a function of (stage, done, total)")


def _configured(
    config: SortingPipelineConfig | None, sorter: str | None, kwargs: Mapping[str, Any]
) -> SortingPipelineConfig:
    """The configuration with everything that was given beside it, after a check of the sorter and its parameters."""
    if config is not None and not isinstance(config, SortingPipelineConfig):
        raise ParameterError(f"config is {config!r:.60}; give a SortingPipelineConfig")
    named = {} if sorter is None else {"sorter_name": sorter}
    if sorter is not None and kwargs.get("sorter_name", sorter) != sorter:
        raise ParameterError(f"sorter is {sorter!r} and sorter_name {kwargs['sorter_name']!r}; give one of them")
    chosen = (config or SortingPipelineConfig()).override(**{**kwargs, **named})
    backend_of(chosen)
    return chosen


def _sort_groups(
    planned: Sequence[tuple[Group, SortingPipelineConfig]],
    *,
    n_at_once: int | None,
    resources: Mapping[str, float] | None,
    progress: Report | None,
) -> BatchResults:
    """All groups as one graph of independent jobs; in their order, one by one, if the first failure ends the batch."""
    jobs = [
        make_job(
            partial(sort_group, group, config, progress=progress),
            name=f"sort-{number}-{group.name}",
            resources=resources,
        )
        for number, (group, config) in enumerate(planned)
    ]
    at_once = n_at_once or _n_at_once(planned)
    if planned[0][1].execution.failure_policy == "stop":
        ended = _until_failure(jobs, planned)
    else:
        ended = compute_jobs(
            jobs, n_at_once=at_once, lost=lambda number, error: _without_result(planned[number], error)
        )
    for (group, config), own in zip(planned, ended, strict=True):
        write_batch_files(group, config, own)
    draw_batch([group for group, _ in planned], planned[0][1])
    return BatchResults(tuple(result for group in ended for result in group))


def _until_failure(
    jobs: Sequence[Any], planned: Sequence[tuple[Group, SortingPipelineConfig]]
) -> list[list[RecordingResult]]:
    """Results up to the first group with a failure; the groups after it are not started."""
    ended: list[list[RecordingResult]] = []
    for job, one in zip(jobs, planned, strict=True):
        if any(result.failure is not None for group in ended for result in group):
            failed = next(result.name for group in ended for result in group if result.failure is not None)
            unstarted = ParameterError(
                f"{one[0].name} was not started: failure_policy is 'stop' and {failed} failed; mend or leave out that "
                "one, or give failure_policy='skip'"
            )
            ended.append(_without_result(one, unstarted))
        else:
            ended += compute_jobs([job], lost=lambda number, error, one=one: _without_result(one, error))
    return ended


def _without_result(one: tuple[Group, SortingPipelineConfig], error: BaseException) -> list[RecordingResult]:
    """The results of a group that left none itself; whose its folder is has not been found out."""
    group, config = one
    return [
        RecordingResult(
            part.name, config.sorter.sorter_name, "failed", group.results_of(part), failure_of(error),
            owns_folder=not group.has_results,
        )
        for part in group.parts
    ]  # fmt: skip


def _n_at_once(planned: Sequence[tuple[Group, SortingPipelineConfig]]) -> int:
    import os

    execution = planned[0][1].execution
    by_memory = bytes_of(execution.total_memory) // BYTES_PER_RECORDING
    by_cores = (os.cpu_count() or 1) // execution.n_jobs
    return max(1, min(len(planned), by_memory, by_cores))
