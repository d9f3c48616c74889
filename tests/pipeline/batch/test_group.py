"""One group: what its folders hold, and what becomes of them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from xephys.errors import ParameterError
from xephys.pipeline import ModelLoadingError, sort_multistream, sort_recording
from xephys.testing import simulate_recording

from .conftest import QUICK, ByChannel


def test_work_is_removed_after_a_success_and_kept_after_a_failure(write_wells: Callable[..., list[Path]]) -> None:
    (well,) = write_wells(1)
    for name, keep in (("file0", False), ("file1", True)):
        (result,) = sort_recording([well / f"{name}.bin"], delete_inter=not keep, **QUICK)
        assert (well / "inter_by_channel" / name).exists() is keep
        assert {path.name for path in result.folder.iterdir()} >= {"curated", "compiled", "recording_report.json"}


def test_only_work_is_removed_from_the_folder_of_work(write_wells: Callable[..., list[Path]]) -> None:
    """It may be the one with the recordings, or hold the results."""
    (well,) = write_wells(1)
    raw = {path: path.read_bytes() for path in well.rglob("*") if path.is_file()}
    for folder, results in ((well, well / "results"), (well.parent, well.parent / "in" / "it")):
        place: dict[str, Any] = {"intermediate_folders": [folder], "results_folders": [results], **QUICK}
        (result,) = sort_recording([well / "file0.bin"], **place)
        assert result.status == "success" and result.spike_data.n_units
        assert all(path.read_bytes() == content for path, content in raw.items())
        assert not list(folder.glob("*_results"))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"resources": "GPU"}, "resources is 'GPU'; give names and how much"),
        ({"resources": {"GPU": -1}}, r"resources is .*-1"),
        ({"progress": 3}, "progress is 3; give a function of"),
    ],
)
def test_what_a_worker_could_not_use_is_refused_at_once(tmp_path: Path, wrong: dict[str, Any], said: str) -> None:
    for sort in (lambda: sort_recording([tmp_path], **wrong), lambda: sort_multistream(tmp_path, ["a"], **wrong)):
        with pytest.raises(ParameterError, match=said):
            sort()


def test_what_is_no_recording_leaves_the_results_of_another_one(
    write_wells: Callable[..., list[Path]], tmp_path: Path
) -> None:
    """A report belongs to results: whoever fails before it is known whose they are, writes none."""
    (well,) = write_wells(1)
    folder = tmp_path / "out"
    place: dict[str, Any] = {"results_folders": [folder], "intermediate_folders": [tmp_path / "work"], **QUICK}
    (result,) = sort_recording([well / "file0.bin"], **place)
    assert result.status == "success"
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    others = [np.zeros((1000, 8)), tmp_path / "missing.bin", well / "file1.bin", xr.DataArray(np.zeros((9, 8)))]
    for other in others:
        (refused,) = sort_recording([other], **place)
        assert refused.failure is not None and not refused.owns_folder
        assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    failing = well / "file2.bin"
    failing.write_bytes(failing.read_bytes()[:-3])
    failing.write_bytes(failing.read_bytes()[:-3])
    both = {
        **place,
        "results_folders": [tmp_path / "new", folder],
        "intermediate_folders": [tmp_path / n for n in "ab"],
    }
    results = sort_recording([failing, well / "file1.bin"], failure_policy="stop", **both)
    assert [result.failure is not None for result in results] == [True, True]
    assert (tmp_path / "new" / "sorting_report.md").exists()
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_rehearsal_ends_what_would_fail_and_leaves_no_trace(
    write_wells: Callable[..., list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (well,) = write_wells(1)
    wanted = {"canary_first_n_s": 0.5, "canary_min_recording_s": 1.0, "delete_inter": False, **QUICK}
    before = ByChannel.runs
    (result,) = sort_recording([well / "file1.bin"], **wanted)
    assert result.status == "success" and ByChannel.runs == before + 2

    def fail(self: ByChannel, recording: Any, *args: Any, **kwargs: Any) -> Any:
        raise ModelLoadingError(f"no model for {recording.sizes['time']} samples", model_path="a.npz")

    monkeypatch.setattr(ByChannel, "sort", fail)
    (result,) = sort_recording([well / "file2.bin"], **wanted)
    assert result.failure is not None
    assert result.failure.message == "the rehearsal failed: no model for 15000 samples"
    assert result.failure.attributes["error"] == "ModelLoadingError"
    assert not list(well.rglob("_canary"))


@contextmanager
def mounted(place: Path, options: str) -> Iterator[Path]:
    """A file system in memory; making it requires root and Linux."""
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True)
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 kB."""
    with mounted(tmp_path / "disk", "size=64k") as place:
        yield place


def test_a_folder_that_can_only_be_read_fails_alone(write_wells: Callable[..., list[Path]], tmp_path: Path) -> None:
    (well,) = write_wells(1)
    with mounted(tmp_path / "fixed", "ro") as fixed:
        read_only, good = sort_recording(
            [well / "file0.bin", well / "file1.bin"],
            results_folders=[fixed / "a", tmp_path / "b"],
            intermediate_folders=[tmp_path / "i0", tmp_path / "i1"],
            **QUICK,
        )
    assert (read_only.status, good.status) == ("failed", "success")
    assert read_only.failure is not None and str(fixed) in read_only.failure.message
    assert "Read-only" in read_only.failure.message or "cannot be written to" in read_only.failure.message


def test_a_full_disk_is_the_result_of_its_recording_alone(
    write_wells: Callable[..., list[Path]], small_disk: Path, tmp_path: Path
) -> None:
    (well,) = write_wells(1)
    full, good = sort_recording(
        [well / "file0.bin", well / "file1.bin"],
        results_folders=[small_disk / "a", tmp_path / "b"],
        intermediate_folders=[tmp_path / "i0", tmp_path / "i1"],
        **QUICK,
    )
    assert (full.status, good.status) == ("disk_exhausted", "success")
    assert full.failure is not None and full.failure.error == "DiskExhaustionError"
    assert (
        full.failure.attributes["folder"].startswith(str(tmp_path)) and full.failure.attributes["free_gb_at_trip"] >= 0
    )


def test_results_are_not_replaced_by_those_of_another_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_wells: Callable[..., list[Path]]
) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = (simulate_recording(duration_s=2, n_channels=4, n_units=1, seed=seed)[0] for seed in (0, 1))
    (done,) = sort_recording([first], **QUICK)
    before = {path: path.read_bytes() for path in done.folder.rglob("*") if path.is_file()}
    (refused,) = sort_recording([second], **QUICK)
    assert refused.failure is not None and refused.failure.kind == "output"
    assert refused.failure.message == (
        f"{done.folder} holds the results of another one; give results_folders of its own to recording_0, or "
        "recompute_recording=True to replace them"
    )
    assert {path: path.read_bytes() for path in done.folder.rglob("*") if path.is_file()} == before
    broken = first.copy(data=np.zeros(first.shape, np.int16))
    for folder in (done.folder, tmp_path / "free"):  # a recording that cannot be sorted keeps no folder
        given = {"results_folders": [folder], "intermediate_folders": [tmp_path / "work0"]}
        failed = [sort_recording([one], **given, **QUICK)[0] for one in (broken, second)]
        assert [one.status for one in failed] == ["failed", "failed" if folder == done.folder else "success"]
    assert {path: path.read_bytes() for path in done.folder.rglob("*") if path.is_file()} == before
    (again,) = sort_recording([first.copy()], **{**QUICK, "spikes_min_second": 6})
    assert again.status == "success" and again.stages["sorting"] == "kept"
    (replaced,) = sort_recording([second], recompute_recording=True, **QUICK)
    assert replaced.status == "success" and replaced.stages["sorting"] == "computed"

    wells = write_wells(2)
    given: dict[str, Any] = {"results_folders": ["out"], "intermediate_folders": ["work"], **QUICK}
    (one,) = sort_recording([wells[0] / "file0.bin"], **given)
    (other,) = sort_recording([wells[1] / "file0.bin"], **given)
    assert one.status == "success" and other.failure is not None
    assert f"holds the results of the recording at {wells[0] / 'file0.bin'};" in other.failure.message
    shutil.move(tmp_path, tmp_path.with_name("moved"))  # results and recordings are moved together
    monkeypatch.chdir(tmp_path.with_name("moved"))
    (moved,) = sort_recording([Path("data/well0/file0.bin")], **given)
    assert moved.status == "success"
    shutil.move(tmp_path.with_name("moved"), tmp_path)
