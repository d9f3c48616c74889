"""Batches in which something fails: the recording that it concerns fails with the reason, and the others are sorted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xephys.errors import ParameterError
from xephys.pipeline import SorterBackend, sort_recording
from xephys.pipeline.batch.lock import LOCK_NAME

from .conftest import QUICK, ByChannel, failure, saturated


def test_one_bad_recording_ends_the_batch_only_if_that_is_wanted(write_wells: Callable[..., list[Path]]) -> None:
    wells = write_wells(2, {(0, 0): saturated})
    files = [wells[0] / "file0.bin", wells[1] / "file1.bin"]
    assert [result.status for result in sort_recording(files, **QUICK)] == ["failed", "success"]
    stopped = sort_recording(files, failure_policy="stop", **{**QUICK, "snr_min": 4.0})
    assert "was not started: failure_policy is 'stop' and file0 failed" in failure(stopped[1]).message


def test_a_lack_of_memory_is_followed_by_smaller_chunks(
    monkeypatch: pytest.MonkeyPatch, write_wells: Callable[..., list[Path]]
) -> None:
    (well,) = write_wells(1)
    seen, sort = [], ByChannel.sort

    def hungry(self: SorterBackend, recording: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(recording.data.chunks[0][0])
        if len(seen) == 1:
            raise MemoryError("cannot allocate 3 GiB")
        return sort(self, recording, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(ByChannel, "sort", hungry)
    (result,) = sort_recording([well / "file0.bin"], **QUICK)
    assert (result.status, result.retries_used) == ("success", 1)
    assert seen == [60_000, 30_000]
    seen.clear()
    (result,) = sort_recording([well / "file1.bin"], oom_retry_max=0, **QUICK)
    assert (result.status, failure(result).error) == ("oom_memoryerror", "HostOutOfMemoryError")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [("sampling_frequency", 20_000.0, "sampling frequency 20000"), ("n_channels", 4, "channels")],
)
@pytest.mark.parametrize("odd", [0, 1])
def test_the_one_unlike_the_others_of_a_folder_fails(
    write_wells: Callable[..., list[Path]], field: str, value: float, message: str, odd: int
) -> None:
    (well,) = write_wells(1)
    described = json.loads((well / "file1.json").read_text())
    (well / f"file{odd}.json").write_text(json.dumps({**described, field: value}))
    results = sort_recording([well], **QUICK)
    assert [result.status for result in results] == ["failed" if k == odd else "success" for k in range(3)]
    assert message in failure(results[odd]).message
    if field == "sampling_frequency":  # fewer channels than contacts are noticed when the file is opened
        assert f"file{odd} is unlike file{1 - odd}" in failure(results[odd]).message


def test_each_odd_recording_of_a_folder_fails_alone(write_wells: Callable[..., list[Path]]) -> None:
    (well,) = write_wells(1)
    described = json.loads((well / "file0.json").read_text())
    counts = np.fromfile(well / "file0.bin", "<i2")
    broken = counts.astype("<f4")
    broken[12_345 * 8 + 3] = np.nan  # one sample, which a look at some stretches does not see
    odd = {
        "file3": (broken, {"dtype": "float32"}, "sample 12345 is NaN or infinite on 1 channels"),
        "file4": (counts[:0], {}, "is empty"),
        "file5": (np.full_like(counts, 7), {}, "all 8 channels are constant"),
        "file6": (counts, {"n_channels": 7}, "7 channels"),
        "file7": (counts, {"sampling_frequency": -1}, "sampling"),
    }
    for name, (values, changes, _) in odd.items():
        values.tofile(well / f"{name}.bin")
        (well / f"{name}.json").write_text(json.dumps({**described, **changes}))
    results = sort_recording([well], **QUICK)
    assert [result.status for result in results[:3]] == ["success"] * 3
    for result, (_, _, message) in zip(results[3:], odd.values(), strict=True):
        assert message in failure(result).message


def test_two_runs_in_one_folder(write_wells: Callable[..., list[Path]], tmp_path: Path) -> None:
    (well,) = write_wells(1)
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"])
    try:
        place = tmp_path / "results"
        place.mkdir()
        holder = {"pid": other.pid, "hostname": os.uname().nodename, "started_at": "now"}
        (place / LOCK_NAME).write_text(json.dumps(holder))
        (result,) = sort_recording([well / "file0.bin"], results_folders=[place], **QUICK)
    finally:
        other.kill()
        other.wait()
    assert (result.status, failure(result).error) == ("concurrent_sort", "ConcurrentSortError")
    assert failure(result).attributes["holder_pid"] == other.pid


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        ([], {}, "is empty"),
        ("file", {}, "give a list"),
        (["file"], {"sorter": "by_chanel"}, "did you mean 'by_channel'"),
        (["file"], {"snr_mn": 3}, "did you mean 'snr_min'"),
        (["file"], {"results_folders": []}, "0 folders are given for 1 recordings"),
        (["file", "file"], {}, "the same folder"),
    ],
)
def test_batches_that_cannot_be_planned(given: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        sort_recording(given, **{**QUICK, **options})


def test_a_folder_that_cannot_be_written_to_is_the_failure_of_its_recording(
    write_wells: Callable[..., list[Path]], tmp_path: Path
) -> None:
    (well,) = write_wells(1)
    (tmp_path / "file").write_text("a file where a folder is wanted")
    results = sort_recording(
        [well / "file0.bin", well / "file1.bin"],
        results_folders=[tmp_path / "file" / "r", tmp_path / "r"],
        intermediate_folders=[tmp_path / "i0", tmp_path / "i1"],
        **QUICK,
    )
    assert [result.status for result in results] == ["failed", "success"]
    assert "cannot" in failure(results[0]).message and str(tmp_path / "file") in failure(results[0]).message


def test_a_sorter_that_hangs_is_left_behind(
    monkeypatch: pytest.MonkeyPatch, write_wells: Callable[..., list[Path]]
) -> None:
    (well,) = write_wells(1)
    monkeypatch.setattr(ByChannel, "sort", lambda *args, **kwargs: time.sleep(5))
    limits = {"sorter_inactivity_base_s": 0.2, "sorter_inactivity_per_min_s": 0.0}
    (result,) = sort_recording([well / "file0.bin"], sorter_inactivity_in_process_grace_s=0.0, **limits, **QUICK)
    assert (result.status, failure(result).error) == ("sorter_timeout", "SorterTimeoutError")
    assert failure(result).attributes["inactivity_s"] > 0.2
