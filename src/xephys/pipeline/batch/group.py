"""Sort one group of recordings jointly: open and rehearse them, run the stages, and report what became of each."""

from __future__ import annotations

import json
import os
import shutil
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import xarray as xr

from ...errors import RecordingError
from ...io.store.atomic import whole_or_absent
from ...recording.segments import check_alike
from ...sorter.progress import Report
from ..classified import ResourceSortFailure, SpikeSortingClassifiedError
from ..config.config import SortingPipelineConfig
from ..config.groups import RecordingConfig
from ..failures import Failure, failure_of
from ..run_folder import request_of
from .backends import backend_of, recording_of
from .causes import as_classified
from .guards import Watch
from .loading import load_segments
from .lock import claim, sole_use
from .preflight import check_group
from .results import CURATED_NAME, RecordingResult, as_record
from .signal import check_finite, check_signal
from .sources import Group, Part
from .spike_data import SpikeData
from .stages import GroupRun, run_stages

REPORT_NAME, CONFIG_NAME = "recording_report.json", "config_used.toml"
#: Parameters of delegated sorters by which their memory shrinks.
_SIZES = ("batch_size", "NT")
#: Folder of a rehearsal below the folders of work and of results.
CANARY_NAME = "_canary"


def sort_group(group: Group, config: SortingPipelineConfig, *, progress: Report | None = None) -> list[RecordingResult]:
    """Sort a group; whatever goes wrong becomes the failure of the recordings that it concerns. Computes.

    After a lack of memory the group is repeated with smaller chunks.
    """
    begin, execution, shrink = time.perf_counter(), config.execution, 1.0
    for attempt in range(execution.oom_retry_max + 1):
        run = GroupRun(group, config, backend_of(_shrunk(config, shrink)), Watch(config, group, progress), {}, {}, {})
        try:
            with sole_use(group.results), sole_use(group.intermediate):
                claim(group.results, _owner(run), replace=execution.recompute_recording)
                run.claimed = True
                if group.refused is not None:
                    raise group.refused
                _sort_and_split(run, chunk_duration_s=2.0 * shrink)
        except Exception as error:  # noqa: BLE001 - the other recordings of the batch go on, whatever happens here
            cause = as_classified(error, sorter=run.backend.name, folder=group.intermediate)
            if (
                isinstance(cause, ResourceSortFailure)
                and _may_repeat(cause, config)
                and attempt < execution.oom_retry_max
            ):
                shrink *= execution.oom_retry_factor
                continue
            run.failures = {k: run.failures.get(k, cause) for k in range(len(group.parts))}
        break
    taken = time.perf_counter() - begin
    results = [_result(run, k, part, taken, attempt) for k, part in enumerate(group.parts)]
    _clean_up(run, results)
    return results


def _may_repeat(cause: ResourceSortFailure, config: SortingPipelineConfig) -> bool:
    """Memory may suffice for smaller chunks; time and disk only if that is wanted."""
    return cause.status.startswith("oom") or config.execution.failure_policy == "retry"


def _shrunk(config: SortingPipelineConfig, factor: float) -> SortingPipelineConfig:
    given = dict(config.sorter.sorter_params or {})
    if factor == 1 or not any(name in given for name in _SIZES):
        return config
    smaller = {name: max(1024, int(given[name] * factor) // 32 * 32) for name in _SIZES if name in given}
    return replace(config, sorter=replace(config.sorter, sorter_params={**given, **smaller}))


def _sort_and_split(run: GroupRun, *, chunk_duration_s: float) -> None:
    """Open and rehearse; then the stages on what can be sorted."""
    check_group(run.group, run.config, run.backend)
    for k, part in enumerate(run.group.parts):
        _load(run, k, part, chunk_duration_s)
    if not run.segments:
        return
    _leave_out_unlike(run)
    rate = float(next(iter(run.segments.values()))[0].attrs["sampling_frequency"])
    duration_s = sum(segment.sizes["time"] for segments in run.segments.values() for segment in segments) / rate
    run.watch.minutes = duration_s / 60
    _rehearse(run, duration_s)
    run_stages(run)


def _owner(run: GroupRun) -> dict[str, str]:
    """What tells the recordings of a group from others: where they are and which stream is read, or their content."""
    group, given, stream = run.group, run.group.parts[0].given, run.config.recording.stream_id
    if not isinstance(given, Path):
        opened = recording_of(load_segments(given, RecordingConfig()))
        return {"name": group.name, "content": str(request_of("", opened, {})["recording"])}
    source = os.path.relpath(given if len(group.parts) == 1 else given.parent, group.results)
    return {"name": group.name, "source": f"{source}:{stream}" if stream else source}


def _load(run: GroupRun, k: int, part: Part, chunk_duration_s: float) -> None:
    """Open one recording and look at it; if it cannot be sorted, the others of the group still can."""
    try:
        segments = run.backend.load_recording(part.given, chunk_duration_s=chunk_duration_s)
        for segment in segments:
            check_signal(segment, sorter=run.backend.name)
            if len(run.group.parts) > 1:
                check_finite(segment)
        run.segments[k] = segments
    except Exception as error:  # noqa: BLE001 - see above
        run.failures[k] = as_classified(error, sorter=run.backend.name, folder=run.group.intermediate)


def _leave_out_unlike(run: GroupRun) -> None:
    """Recordings of other channels or rates than most fail; if none are most, those unlike the first."""
    firsts = {k: segments[0] for k, segments in run.segments.items()}
    reference = min(firsts)
    if not all(_are_alike(firsts[reference], first) for first in firsts.values()):
        votes = {k: sum(_are_alike(one, other) for other in firsts.values()) for k, one in firsts.items()}
        reference = max(votes, key=lambda k: (votes[k], -k))
    for k in list(run.segments):
        try:
            check_alike([firsts[reference], *run.segments[k]])
        except RecordingError as error:
            name, like = run.group.parts[k].name, run.group.parts[reference].name
            run.failures[k] = RecordingError(f"{name} is unlike {like}, with which it would be sorted jointly: {error}")
            del run.segments[k]


def _are_alike(one: xr.DataArray, other: xr.DataArray) -> bool:
    try:
        check_alike([one, other])
    except RecordingError:
        return False
    return True


def _rehearse(run: GroupRun, duration_s: float) -> None:
    """Run everything on the start of the recordings first, in folders of its own.

    If the environment or a resource fails there, the run ends. Silence does not count: a start may be quiet.

    Epochs and slices of the configuration are not rehearsed: their start may lie anywhere.
    """
    execution, recording = run.config.execution, run.config.recording
    cut = recording.rec_chunks or recording.rec_chunks_s or recording.first_n_mins or recording.end_time_s
    if not execution.canary_first_n_s or duration_s < execution.canary_min_recording_s or cut:
        return
    start_s = recording.start_time_s or 0.0
    config = run.config.override(
        end_time_s=start_s + execution.canary_first_n_s, canary_first_n_s=0.0, delete_inter=True
    )
    places = {name: getattr(run.group, name) / CANARY_NAME for name in ("intermediate", "results")}
    results = sort_group(replace(run.group, **places), config)
    for place in places.values():
        shutil.rmtree(place, ignore_errors=True)
    for k, result in enumerate(results):
        if result.failure is not None and result.failure.kind in ("installation", "resource"):
            run.failures.setdefault(k, CanaryError(f"the rehearsal failed: {result.failure.message}", result.failure))
    for k in run.failures:
        run.segments.pop(k, None)
    if not run.segments:
        raise run.failures[0]


class CanaryError(SpikeSortingClassifiedError):
    """The rehearsal on the first seconds failed, for the reason that its attributes give."""

    def __init__(self, message: str, failure: Failure) -> None:
        super().__init__(message)
        self.error, self.trace = failure.error, failure.trace


def _result(run: GroupRun, k: int, part: Part, taken: float, retries: int) -> RecordingResult:
    """The result of one recording, also written beside its units."""
    place, error = run.group.results_of(part), run.failures.get(k)
    stages = {name: how for name, how in run.stages.items() if not name.startswith("_")}
    if error is None:
        units = SpikeData.open(place / CURATED_NAME).n_units
        result = RecordingResult(
            part.name, run.backend.name, "success", place, None, taken, units, retries, None, stages
        )
    else:
        status = error.status if isinstance(error, SpikeSortingClassifiedError) else "failed"
        log = getattr(error, "log_path", None)
        result = RecordingResult(
            part.name, run.backend.name, status, place, failure_of(error), taken, 0, retries, log, stages,
            owns_folder=run.owns_folder,
        )  # fmt: skip
    if result.owns_folder:
        try:
            place.mkdir(parents=True, exist_ok=True)
            with whole_or_absent(place / REPORT_NAME, overwrite=True) as hidden:
                hidden.write_text(json.dumps(as_record(result), indent=1), encoding="utf-8")
            run.config.to_toml(place / CONFIG_NAME)
        except OSError:  # the report of a full or read-only disk is the result that is returned
            pass
    return result


def _clean_up(run: GroupRun, results: list[RecordingResult]) -> None:
    """Remove the work after a success; after a failure it is what a repetition resumes from.

    Whatever else is in the folder stays: it may be one in which the user keeps other things, such as the recordings.
    """
    if run.config.execution.delete_inter and all(result.failure is None for result in results):
        shutil.rmtree(run.work, ignore_errors=True)
    with suppress(OSError):
        run.group.intermediate.rmdir()
