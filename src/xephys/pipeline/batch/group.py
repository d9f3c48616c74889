"""Sort one group of recordings jointly, stage by stage, and split its units by recording."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ...curate.segments import select_segments
from ...curate.units import select_units
from ...errors import RecordingError
from ...io.read.sortings import open_sorting
from ...io.store.sorting import save_sorting
from ...recording.segments import check_alike
from ...sorter.progress import Report
from ...sorting import unit_ids_of
from ..classified import InsufficientActivityError, ResourceSortFailure, SpikeSortingClassifiedError
from ..config.config import SortingPipelineConfig
from ..failures import Failure, failure_of
from ..run_folder import request_of
from ..sorter_logs import FEW_SPIKES
from .backends import SorterBackend, backend_of, recording_of
from .causes import as_classified
from .compiled import write_compiled
from .curation import curate_stage, first_rules, second_rules
from .guards import Watch, guarded
from .kept import content_key, keep_stage
from .lock import LOCK_NAME, sole_use
from .preflight import check_group
from .results import CURATED_NAME, STAGES_NAME, RecordingResult, as_record
from .signal import check_signal
from .sources import Group, Part
from .spike_data import SORTING_NAME, UNITS_NAME, SpikeData
from .units import measure_units

REPORT_NAME, CONFIG_NAME = "recording_report.json", "config_used.toml"
#: Parameters of delegated sorters by which their memory shrinks.
_SIZES = ("batch_size", "NT")
#: Folder of a rehearsal below the folders of work and of results.
CANARY_NAME = "_canary"


@dataclass
class GroupRun:
    """One group on its way: what is known of it so far.

    Attributes
    ----------
    group, config, backend
        What is sorted, and how.
    watch
        Guards of the run; told about every finished chunk.
    segments
        Segments of each recording that can be sorted, by its position in the group.
    failures
        Why the others cannot, by position.
    stages
        ``"computed"`` or ``"kept"`` by stage.
    key
        Content key of the last stage.
    """

    group: Group
    config: SortingPipelineConfig
    backend: SorterBackend
    watch: Watch
    segments: dict[int, list[xr.DataArray]]
    failures: dict[int, BaseException]
    stages: dict[str, str]
    key: str = ""

    @property
    def joint(self) -> xr.DataArray | xr.DataTree:
        """All segments that are sorted jointly."""
        return recording_of([segment for k in sorted(self.segments) for segment in self.segments[k]])

    def folder(self, stage: str) -> Path:
        return self.group.results / STAGES_NAME / stage

    def keep(self, stage: str, key: str, write: Callable[[Path], None], *, repeat: bool, folder: Path | None) -> None:
        """Run a stage unless its results are there already."""
        again = repeat or self.stages.get("_repeat") == "yes"
        if again:
            self.stages["_repeat"] = "yes"
        done = keep_stage(folder or self.folder(stage), key, write, repeat=again)
        self.stages[stage] = "computed" if done or self.stages.get(stage) == "computed" else "kept"


def sort_group(group: Group, config: SortingPipelineConfig, *, progress: Report | None = None) -> list[RecordingResult]:
    """Sort a group; whatever goes wrong becomes the failure of the recordings that it concerns. Computes.

    After a lack of memory the group is repeated with smaller chunks.
    """
    begin, execution, shrink = time.perf_counter(), config.execution, 1.0
    for attempt in range(execution.oom_retry_max + 1):
        run = GroupRun(group, config, backend_of(_shrunk(config, shrink)), Watch(config, group, progress), {}, {}, {})
        try:
            if group.refused is not None:
                raise group.refused
            with sole_use(group.results), sole_use(group.intermediate):
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
    """The stages in order; each is repeated only if what it follows from has changed."""
    check_group(run.group, run.config, run.backend)
    for k, part in enumerate(run.group.parts):
        _load(run, k, part, chunk_duration_s)
    if not run.segments:
        return
    rate = float(next(iter(run.segments.values()))[0].attrs["sampling_frequency"])
    duration_s = sum(segment.sizes["time"] for segments in run.segments.values() for segment in segments) / rate
    run.watch.minutes = duration_s / 60
    _rehearse(run, duration_s)
    config, execution, joint = run.config, run.config.execution, run.joint
    parameters = {**run.backend.parameters, "seed of the batch": execution.random_seed}
    run.key = content_key(request_of(run.backend.name, joint, parameters))
    run.keep(
        "sorting", run.key, lambda hidden: _write_sorting(run, joint, hidden),
        repeat=execution.recompute_recording or execution.recompute_sorting, folder=None,
    )  # fmt: skip
    recording = config.recording
    run.key = content_key(
        run.key, config.waveform, recording.freq_min, recording.freq_max, execution.random_seed,
        config.curation.curation_epoch, config.curation.isi_violation_method,
    )  # fmt: skip
    run.keep(
        "waveforms", run.key, lambda hidden: _write_units(run, joint, hidden),
        repeat=execution.reextract_waveforms, folder=None,
    )  # fmt: skip
    _curate(run)
    _split(run)


def _load(run: GroupRun, k: int, part: Part, chunk_duration_s: float) -> None:
    """Open one recording and look at it; if it cannot be sorted, the others of the group still can."""
    try:
        segments = run.backend.load_recording(part.given, chunk_duration_s=chunk_duration_s)
        for segment in segments:
            check_signal(segment, sorter=run.backend.name)
        if run.segments:
            check_alike([next(iter(run.segments.values()))[0], *segments])
        run.segments[k] = segments
    except Exception as error:  # noqa: BLE001 - see above
        run.failures[k] = as_classified(error, sorter=run.backend.name, folder=run.group.intermediate)


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


def _write_sorting(run: GroupRun, joint: xr.DataArray | xr.DataTree, hidden: Path) -> None:
    work = run.group.intermediate / f"{run.backend.name}_results"
    work.mkdir(parents=True, exist_ok=True)
    sorting = guarded(
        lambda: run.backend.sort(joint, run.group.name, None, work, progress=run.watch.report),
        run.watch,
        work,
        end=lambda: run.backend.end(),
    )
    save_sorting(sorting, hidden / SORTING_NAME)


def _write_units(run: GroupRun, joint: xr.DataArray | xr.DataTree, hidden: Path) -> None:
    sorting = open_sorting(run.folder("sorting") / SORTING_NAME)
    if not len(unit_ids_of(sorting)):
        raise InsufficientActivityError(
            f"{run.backend.name} found no units in {run.group.name}; the recording is silent, short, or needs a lower "
            "threshold",
            sorter=run.backend.name,
            units_at_failure=0,
            nspks_at_failure=0,
        )
    table = guarded(lambda: run.backend.extract_waveforms(joint, sorting), run.watch, run.group.intermediate)
    save_sorting(table.sorting, hidden / SORTING_NAME)
    units, epoch = table.units, run.config.curation.curation_epoch
    if epoch is not None:
        segments = [segment for k in sorted(run.segments) for segment in run.segments[k]]
        if epoch >= len(segments):
            raise RecordingError(f"curation_epoch is {epoch} and there are {len(segments)} epochs, counted from 0")
        judged = measure_units(select_segments(table.sorting, epoch), segments[epoch], run.config).units
        units = units.assign(
            {name: judged[name] for name in judged.data_vars if judged[name].dims == ("unit",) and "peak" not in name}
        )
    units.to_zarr(str(hidden / UNITS_NAME), mode="w-", consolidated=False)


def _curate(run: GroupRun) -> None:
    """Both stages: a list of units and the reasons of each, as JSON."""
    units = xr.open_zarr(str(run.folder("waveforms") / UNITS_NAME), consolidated=False).load()
    curation, execution = run.config.curation, run.config.execution
    among = np.ones(units.sizes["unit"], bool)
    stages = (
        ("curation_first", first_rules(curation), execution.recurate_first),
        ("curation_second", second_rules(curation), execution.recurate_second),
    )
    for name, rules, repeat in stages:
        run.key = content_key(run.key, name, rules)
        stage = curate_stage(units, among, rules, name=name)
        among = stage.kept

        def write(hidden: Path, history: dict[str, Any] = stage.history) -> None:
            (hidden / "history.json").write_text(json.dumps(history, indent=1), encoding="utf-8")

        run.keep(name, run.key, write, repeat=repeat, folder=None)


def _split(run: GroupRun) -> None:
    """Write the units of each recording, and its compiled files."""
    sorting = open_sorting(run.folder("waveforms") / SORTING_NAME)
    units = xr.open_zarr(str(run.folder("waveforms") / UNITS_NAME), consolidated=False).load()
    history = json.loads((run.folder("curation_second") / "history.json").read_text(encoding="utf-8"))
    kept = np.isin(units["unit_id"].values, history["curated_final"])
    first = 0
    for k in sorted(run.segments):
        n, part = len(run.segments[k]), run.group.parts[k]
        own = sorting if len(run.segments) == 1 else select_segments(sorting, list(range(first, first + n)))
        first += n
        if own["spikes"].sizes["spike"] <= FEW_SPIKES:
            run.failures[k] = InsufficientActivityError(
                f"{part.name} has {own['spikes'].sizes['spike']} spikes of the {len(kept)} units of {run.group.name}; "
                "the recording is silent",
                sorter=run.backend.name,
                units_at_failure=len(kept),
                nspks_at_failure=int(own["spikes"].sizes["spike"]),
            )
            continue
        data = SpikeData(own, units, _metadata(run, k, own))
        curated = SpikeData(
            select_units(own, units["unit_id"].values[kept].tolist()), units.isel(unit=kept), data.metadata
        )
        place = run.group.results_of(part)
        key = content_key(run.key, k, len(run.segments))
        run.keep("split", key, curated.write, repeat=False, folder=place / CURATED_NAME)
        compilation, waveform = run.config.compilation, run.config.waveform
        if compilation.compile_single_recording:
            compiled = content_key(key, "compiled", compilation, waveform)

            def write(hidden: Path, data: SpikeData = data, curated: SpikeData = curated) -> None:
                write_compiled(hidden, data, curated, run.config)

            run.keep(
                "compilation", compiled, write, repeat=run.config.execution.recompile_single_recording,
                folder=place / "compiled",
            )  # fmt: skip


def _metadata(run: GroupRun, k: int, sorting: xr.DataTree) -> dict[str, Any]:
    """What a recording's results say about it, as plain values."""
    segments, part = run.segments[k], run.group.parts[k]
    first = segments[0]
    places = [first.coords[name].values if name in first.coords else np.zeros(first.sizes["channel"]) for name in "xy"]
    electrodes = "electrode" if "electrode" in first.coords else "channel"
    rate = float(first.attrs["sampling_frequency"])
    lengths = [segment.sizes["time"] for segment in segments]
    starts = np.atleast_1d(sorting.attrs.get("first_sample", 0)).tolist()
    frames = [[int(start), int(start) + n] for start, n in zip(starts, lengths, strict=True)]
    gains = first.coords["gain_to_uv"].values if "gain_to_uv" in first.coords else np.ones(first.sizes["channel"])
    return {
        "name": part.name,
        "source_file": str(part.given) if isinstance(part.given, Path) else part.name,
        "source_format": run.backend.name,
        "fs_Hz": rate,
        "channel_ids": [str(name) for name in first.coords["channel"].values],
        "electrodes": [str(name) for name in first.coords[electrodes].values],
        "channel_locations": np.stack(places, axis=1).tolist(),
        "gain_to_uv": np.asarray(gains, np.float64).tolist(),
        "n_samples": int(sum(lengths)),
        "rec_chunks_frames": frames,
        "rec_chunks_ms": [[a / rate * 1e3, b / rate * 1e3] for a, b in frames],
        "rec_chunks_names": [
            f"{part.name}_{number}" if len(frames) > 1 else part.name for number in range(len(frames))
        ],
    }


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
            part.name, run.backend.name, status, place, failure_of(error), taken, 0, retries, log, stages
        )
    if status_may_be_written(result):
        try:
            place.mkdir(parents=True, exist_ok=True)
            (place / REPORT_NAME).write_text(json.dumps(as_record(result), indent=1), encoding="utf-8")
            run.config.to_toml(place / CONFIG_NAME)
        except OSError:  # the report of a full or read-only disk is the result that is returned
            pass
    return result


def status_may_be_written(result: RecordingResult) -> bool:
    """Whether a result may be written into its folder: not into one that another process uses."""
    return result.status != "concurrent_sort"


def _clean_up(run: GroupRun, results: list[RecordingResult]) -> None:
    """Remove the intermediate folder after a success; after a failure it is what a repetition resumes from."""
    if (run.config.execution.delete_inter and all(result.failure is None for result in results)) or (
        run.group.intermediate.is_dir() and not any(path.name != LOCK_NAME for path in run.group.intermediate.iterdir())
    ):
        shutil.rmtree(run.group.intermediate, ignore_errors=True)
