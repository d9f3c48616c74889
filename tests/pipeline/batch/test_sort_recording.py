"""Batches: results in the order of the inputs, units split back to the sample, and resuming."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xephys.errors import ParameterError
from xephys.pipeline import (
    InsufficientActivityError,
    SaturatedSignalError,
    SorterBackend,
    SortingPipelineConfig,
    sort_multistream,
    sort_recording,
)
from xephys.pipeline.batch.lock import LOCK_NAME

from .conftest import QUICK, ByChannel, failure, saturated, silent, spikes_of, truncate, write_plate

ROOT = Path(__file__).parents[3]


def test_twelve_recordings_of_which_three_cannot_be_sorted(write_wells: Callable[..., list[Path]]) -> None:
    wells = write_wells(4, {(1, 1): silent, (3, 0): saturated})
    truncate(wells[2], "file2.bin")
    every = {**QUICK, "curate_first": False, "curate_second": False}
    results = sort_recording(wells, **every)
    assert [result.name for result in results] == ["file0", "file1", "file2"] * 4
    assert [number for number, result in enumerate(results) if result.failure] == [4, 8, 9]
    assert repr(results) == "<BatchResults: 9 sorted, 3 failed>"
    assert failure(results[4]).error == InsufficientActivityError.__name__
    assert failure(results[4]).attributes["nspks_at_failure"] == 0
    assert "file2.bin" in failure(results[8]).message and failure(results[8]).kind == "recording"
    assert failure(results[9]).error == SaturatedSignalError.__name__
    assert failure(results[9]).attributes == {"channels_saturated": 8, "total_channels": 8}
    found = spikes_of(results)
    alone = spikes_of(sort_recording([wells[0] / f"file{k}.bin" for k in range(3)], **every))
    assert all(sum(map(len, spikes.values())) > 10 for spikes in alone)
    for number, spikes in enumerate(found):
        if spikes is not None:  # one unit a channel, whichever files are sorted with it: split back to the sample
            assert spikes == alone[number % 3]
    records = [json.loads((r.folder / "recording_report.json").read_text()) for r in results]
    assert {record["sorter"] for record in records} == {"by_channel"}
    table = results.table()
    assert table["status"].tolist().count("success") == 9 and set(table["sorter"]) == {"by_channel"}
    again = sort_recording(wells, **every)
    assert spikes_of(again) == found
    assert set(again[0].stages.values()) == {"kept"}


def test_a_killed_batch_resumes_to_the_same_results(write_wells: Callable[..., list[Path]], tmp_path: Path) -> None:
    wells = write_wells(3)
    script = tmp_path / "batch.py"
    script.write_text(
        "import os, signal, sys\n"
        "from tests.pipeline.batch.conftest import QUICK, ByChannel\n"
        "from xephys.pipeline import sort_recording\n"
        "sort = ByChannel.sort\n"
        "def killed(self, recording, *args, **kwargs):\n"
        "    if ByChannel.runs == 1:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return sort(self, recording, *args, **kwargs)\n"
        "ByChannel.sort = killed\n"
        "sort_recording(sys.argv[1:], **QUICK)\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    ended = subprocess.run([sys.executable, str(script), *map(str, wells)], env=environment, check=False)
    assert ended.returncode == -signal.SIGKILL
    locks = list((wells[0].parent / "sorted_by_channel").rglob(LOCK_NAME))
    assert len(locks) == 1, "the killed process leaves its lock, which is taken over"
    results = sort_recording(wells, **QUICK)
    assert sorted(result.stages["sorting"] for result in results) == ["computed"] * 6 + ["kept"] * 3
    clean = [str(path) for path in wells]
    fresh = sort_recording(
        clean,
        intermediate_folders=[tmp_path / "i" / p.name for p in wells],
        results_folders=[tmp_path / "r" / p.name for p in wells],
        **QUICK,
    )
    assert spikes_of(results) == spikes_of(fresh)


def test_only_what_a_change_concerns_is_repeated(write_wells: Callable[..., list[Path]]) -> None:
    (well,) = write_wells(1)
    sort_recording([well], **QUICK)
    before = ByChannel.runs
    curated = sort_recording([well], **{**QUICK, "snr_min": 20.0})
    assert curated[0].stages == {
        "sorting": "kept", "waveforms": "kept", "curation_first": "kept", "curation_second": "computed",
        "split": "computed", "compilation": "computed",
    }  # fmt: skip
    assert ByChannel.runs == before
    first = sort_recording([well], **{**QUICK, "spikes_min_first": 6})
    assert [name for name, how in first[0].stages.items() if how == "kept"] == ["sorting", "waveforms"]
    lower = sort_recording([well], **{**QUICK, "sorter_params": {"threshold_uv": 60.0}})
    assert set(lower[0].stages.values()) == {"computed"} and ByChannel.runs == before + 1


@pytest.mark.parametrize(
    ("flag", "kept"),
    [
        ("recompute_sorting", 0),
        ("reextract_waveforms", 1),
        ("recurate_first", 2),
        ("recurate_second", 3),
        ("recompile_single_recording", 5),
    ],
)
def test_flags_repeat_a_stage_and_what_follows(write_wells: Any, flag: str, kept: int) -> None:
    (well,) = write_wells(1)
    file = well / "file0.bin"
    sort_recording([file], **QUICK)
    again = sort_recording([file], **QUICK, **{flag: True})
    assert [how == "kept" for how in again[0].stages.values()] == [True] * kept + [False] * (6 - kept)


def test_the_sorter_has_one_name_in_every_record(write_wells: Callable[..., list[Path]]) -> None:
    (well,) = write_wells(1)
    (result,) = sort_recording([well / "file0.bin"], SortingPipelineConfig(), **QUICK)
    stored = SortingPipelineConfig.from_toml(result.folder / "config_used.toml")
    assert stored.sorter.sorter_name == result.sorter == result.spike_data.metadata["source_format"] == "by_channel"
    assert result.folder == well / "sorted_by_channel" / "file0"
    with pytest.raises(ParameterError, match="give one of them"):
        sort_recording([well], sorter="default", sorter_name="by_channel")


def test_epochs_are_sorted_jointly_and_count_in_the_file(write_wells: Callable[..., list[Path]]) -> None:
    (well,) = write_wells(1)
    file = well / "file0.bin"
    whole = sort_recording([file], **QUICK)[0].spike_data
    places = {"results_folders": [well / "r"], "intermediate_folders": [well / "i"]}
    parts = sort_recording([file], rec_chunks_s=[(0.25, 0.75), (1.0, 2.0)], **places, **QUICK)[0].spike_data
    assert parts.metadata["rec_chunks_frames"] == [[7_500, 22_500], [30_000, 60_000]]
    assert [round(stop - start) for start, stop in parts.epochs] == [500, 1000]
    for samples, every in zip(parts.samples, whole.samples, strict=True):
        inside = every[((every > 7_600) & (every < 22_400)) | (every > 30_100)]
        assert set(inside.tolist()) <= set(samples.tolist())
    first, second = parts.split_epochs()
    assert sum(map(len, first.samples)) + sum(map(len, second.samples)) == sum(map(len, parts.samples))
    assert min(train.min() for train in second.train if len(train)) >= 0


def test_epochs_of_a_folder_are_those_of_each_file(write_wells: Callable[..., list[Path]]) -> None:
    (well,) = write_wells(1)
    results = sort_recording([well], rec_chunks=[(15_000, 45_000)], **QUICK)
    for result in results:
        data = result.spike_data
        assert data.metadata["rec_chunks_frames"] == [[15_000, 45_000]] and len(data.epochs) == 1
        assert all(15_000 <= sample < 45_000 for samples in data.samples for sample in samples)
        assert all(0 <= time_ms < 1000 for train in data.train for time_ms in train)


def test_wells_of_plates_are_one_batch(
    tmp_path: Path, traces: Callable[[int], tuple[Any, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(**given: Any) -> None:
        raise AssertionError("a reader that is opened again downloads nothing")

    monkeypatch.setattr("neo.rawio.maxwellrawio.auto_install_maxwell_hdf5_compression_plugin", download)
    plates = [tmp_path / "plates" / f"plate{number}.raw.h5" for number in range(3)]
    for number, plate in enumerate(plates):
        counts, gain = traces(number)
        write_plate(plate, {"well000": counts, "well001": silent(counts) if number == 1 else counts}, gain_to_uv=gain)
    os.truncate(plates[2], plates[2].stat().st_size // 2)
    results = sort_multistream(tmp_path / "plates", ["well000", "well001"], **QUICK)
    assert [result.name for result in results["well001"]] == ["plate0", "plate1", "plate2"]
    status = {well: [result.status for result in own] for well, own in results.items()}
    assert status == {"well000": ["success", "success", "failed"], "well001": ["success", "failed", "failed"]}
    assert failure(results["well001"][1]).error == "InsufficientActivityError"
    assert "plate2.raw.h5" in failure(results["well000"][2]).message
    assert spikes_of(results["well000"])[0] == spikes_of(results["well001"])[0]
    rows = results["well000"][0].spike_data.neuron_attributes
    assert [row["electrode"] for row in rows] == [str(100 + row["channel"]) for row in rows]
    (missing,) = sort_multistream(plates[0], ["well007"], **QUICK)["well007"]
    assert "well007" in failure(missing).message


def test_streams_are_named_once_and_have_folders_of_their_own() -> None:
    for wrong in ([], ["a", "a"], "well000"):
        with pytest.raises(ParameterError, match="list of different names"):
            sort_multistream("plate.raw.h5", wrong, **QUICK)
    with pytest.raises(ParameterError, match="leave it out"):
        sort_multistream("plate.raw.h5", ["a"], stream_id="b", **QUICK)


def test_recordings_are_sorted_side_by_side_and_not_copied(
    monkeypatch: pytest.MonkeyPatch, write_wells: Callable[..., list[Path]]
) -> None:
    (well,) = write_wells(1)
    files, sort, both = [well / "file0.bin", well / "file1.bin"], ByChannel.sort, threading.Barrier(2)

    def meet(self: SorterBackend, recording: Any, *args: Any, **kwargs: Any) -> Any:
        both.wait(60)  # until the other one is being sorted too
        return sort(self, recording, *args, **kwargs)

    monkeypatch.setattr(ByChannel, "sort", meet)
    results = sort_recording(files, n_at_once=2, delete_inter=False, **QUICK)
    assert [result.status for result in results] == ["success", "success"]
    folders = (well / "inter_by_channel", well / "sorted_by_channel")
    written = [path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert max(written) < files[0].stat().st_size / 10


def test_jobs_carry_the_resources_that_they_take(
    write_wells: Callable[..., list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def compute(jobs: Any, *, lost: Any, **given: Any) -> Any:
        seen.extend(layer.annotations for job in jobs for layer in job.dask.layers.values())
        return [lost(number, MemoryError("not here")) for number in range(len(jobs))]

    monkeypatch.setattr("xephys.pipeline.batch.sort_recording.compute_jobs", compute)
    sort_recording(write_wells(2), resources={"GPU": 1}, **QUICK)
    assert seen == [{"resources": {"GPU": 1}}] * 2


def test_progress_names_the_recording(write_wells: Callable[..., list[Path]]) -> None:
    (well,) = write_wells(1)
    said: list[str] = []
    sort_recording([well], progress=lambda stage, done, total: said.append(stage), **QUICK)
    assert said == ["well0: detect"] * 3
