"""The stages of one group: sort, extract waveforms, curate, and split the units by recording."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ...curate.segments import select_segments
from ...curate.units import select_units
from ...errors import RecordingError
from ...io.read.sortings import open_sorting
from ...io.store.sorting import save_sorting
from ...sorting import unit_ids_of
from ..classified import ConcurrentSortError, InsufficientActivityError
from ..config.config import SortingPipelineConfig
from ..run_folder import request_of
from ..sorter_logs import FEW_SPIKES
from .backends import SorterBackend, recording_of
from .compiled import write_compiled
from .curation import curate_stage, first_rules, second_rules
from .guards import Watch, guarded
from .kept import content_key, keep_stage
from .results import CURATED_NAME, STAGES_NAME
from .sources import Group
from .spike_data import SORTING_NAME, UNITS_NAME, SpikeData
from .units import measure_units


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
    claimed
        Whether the folder of results is known to be this group's.
    """

    group: Group
    config: SortingPipelineConfig
    backend: SorterBackend
    watch: Watch
    segments: dict[int, list[xr.DataArray]]
    failures: dict[int, BaseException]
    stages: dict[str, str]
    key: str = ""
    claimed: bool = False

    @property
    def work(self) -> Path:
        """What the sorter keeps while it runs."""
        return self.group.intermediate / f"{self.backend.name}_results"

    @property
    def owns_folder(self) -> bool:
        """Whether reports may be written: the folder is this group's, or nobody's."""
        in_use = any(isinstance(error, ConcurrentSortError) for error in self.failures.values())
        return self.claimed or not (in_use or self.group.has_results)

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


def run_stages(run: GroupRun) -> None:
    """The stages in order; each is repeated only if what it follows from has changed."""
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


def _write_sorting(run: GroupRun, joint: xr.DataArray | xr.DataTree, hidden: Path) -> None:
    work = run.work
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
