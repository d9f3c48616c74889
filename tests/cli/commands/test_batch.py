"""A batch from the shell: a table at the end, resuming, and bad input."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from xephys.cli.commands.batch import PASSES
from xephys.errors import RecordingError
from xephys.pipeline.batch.results import RecordingResult
from xephys.pipeline.batch.sources import Group
from xephys.pipeline.config.config import SortingPipelineConfig
from xephys.pipeline.failures import failure_of

from ...support.command_line import refused, run


def test_a_batch_has_a_table_and_resumes(simulated: Path, tmp_path: Path) -> None:
    config = tmp_path / "batch.toml"
    config.write_text("[execution]\npreflight = false\n", encoding="utf-8")
    bad = tmp_path / "bad.h5"
    bad.write_bytes(b"nothing")
    words = ("batch", config, simulated / "recording", bad, "--out", tmp_path / "out", "--set", "snr_min=3")
    text = run(*words).stdout
    assert "success" in text and "failed" in text
    assert (tmp_path / "out" / "recording" / "curated" / "sorting.zarr").is_dir()
    report = (tmp_path / "out" / "recording" / "recording_report.json").stat().st_mtime_ns
    run(*words)
    assert (tmp_path / "out" / "recording" / "recording_report.json").stat().st_mtime_ns > report
    kept = (tmp_path / "out" / "recording" / "sorting_report.md").read_text(encoding="utf-8")
    assert "| sorting | kept |" in kept


def test_a_terminal_shows_progress(simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[str, int, int]] = []
    told: list[object] = []

    @contextmanager
    def bar(progress: object, *, n_passes: int) -> Iterator[object]:
        told.append((progress, n_passes))
        yield lambda *report: shown.append(report)

    monkeypatch.setattr("xephys.sorter.progress.shown_progress", bar)
    monkeypatch.setattr("xephys.pipeline.batch.sort_recording.sort_group", _reporting)
    words = ("batch", simulated / "recording", "--out", tmp_path / "out")
    run(*words, expect=2)
    assert told == [(False, PASSES)] and shown == [("recording: detect", 1, 2)]


def _reporting(group: Group, config: object, *, progress: Callable[..., None]) -> list[RecordingResult]:
    """A sort of a group that reports one chunk and fails."""
    progress(f"{group.name}: detect", 1, 2)
    failure = failure_of(RecordingError("nothing"))
    return [RecordingResult(part.name, "default", "failed", group.results, failure) for part in group.parts]


def test_bad_input_is_refused_before_anything_runs(simulated: Path, tmp_path: Path) -> None:
    recording = simulated / "recording"
    assert "did you mean 'snr_min'" in refused("batch", recording, "--set", "snr_mn=3", status=2)
    assert "did you mean" in refused("batch", recording, "--sorter", "defalt", status=2)
    assert "same folder" in refused("batch", recording, recording, status=2)
    other = tmp_path / "old.toml"
    other.write_text("version = 7\n", encoding="utf-8")
    assert "of version 7" in refused("batch", other, recording, status=2)
    assert "one TOML file" in refused("batch", other, other, recording, status=2)
    assert "--streams is for one path" in refused("batch", recording, recording, "--streams", "a,b", status=2)


def test_recordings_of_one_name_and_an_empty_folder(simulated: Path, tmp_path: Path) -> None:
    for plate in ("plate1", "plate2"):
        (tmp_path / plate / "well").mkdir(parents=True)
    (tmp_path / "plate1" / "well" / "a.h5").write_bytes(b"nothing")
    words = ("batch", tmp_path / "plate1" / "well", tmp_path / "plate2" / "well", "--out", tmp_path / "out")
    done = run(*words, expect=2)
    text = " ".join((done.stdout + done.stderr).split())
    assert "holds no recording" in text and "no recording could be sorted" in text
    for plate in ("plate1", "plate2"):
        assert (tmp_path / "out" / plate / "well" / "recording_report.json").is_file()


def test_a_dry_run_prints_the_plan(simulated: Path) -> None:
    text = run("batch", simulated / "recording", "--dry-run", "--sorter", "xephys_kilosort4").stdout
    assert 'sorter_name = "xephys_kilosort4"' in text and "recording: recording" in text


def test_arguments_of_readers_reach_the_configuration(simulated: Path, tmp_path: Path) -> None:
    config = tmp_path / "batch.toml"
    config.write_text("[recording.reader_options]\nn_channels = 3\ndtype = 'int16'\n", encoding="utf-8")
    words = ("batch", config, simulated / "recording", "--dry-run")
    text = run(*words, "--reader", "ignore_trailing_bytes=true", "--reader", "n_channels=4").stdout
    written = tmp_path / "written.toml"
    written.write_text(text[: text.index("recording: recording")], encoding="utf-8")
    assert SortingPipelineConfig.from_toml(written).recording.reader_options == {
        "n_channels": 4, "dtype": "int16", "ignore_trailing_bytes": True,
    }  # fmt: skip
    assert "--reader 'dtype' is not KEY=VALUE" in refused(*words, "--reader", "dtype", status=2)
