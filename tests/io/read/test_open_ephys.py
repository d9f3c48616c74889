"""Lost samples and cut files of Open Ephys, on a real recording with modified files."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

from xephys.errors import RecordingError, XephysWarning
from xephys.graph.build import count_tasks
from xephys.io.read import open_ephys
from xephys.io.read.open import open_recording
from xephys.io.read.open_ephys import jumps_of
from xephys.preprocess.filter import bandpass_filter
from xephys.recording.segments import segments_of


@pytest.fixture
def folder(data: Path, tmp_path: Path) -> Path:
    """Sixteen channels whose samples are numbered from 54752 on."""
    place = "Record Node 118/experiment1/recording1"
    shutil.copytree(
        data / "openephys_cortex16/binary" / place, tmp_path / place, ignore=shutil.ignore_patterns("spikes", "events")
    )
    return tmp_path / place / "continuous/File_Reader-106.0"


def numbers_of(folder: Path) -> np.ndarray:
    return np.load(folder / "timestamps.npy")


def test_without_jumps_it_is_one_segment(folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", XephysWarning)
        opened = open_recording(folder / "continuous.dat")
    assert float(opened.time[0]) == 54752 / opened.attrs["sampling_frequency"]


@pytest.mark.parametrize("name", ["timestamps.npy", "sample_numbers.npy"])
def test_a_jump_begins_a_segment_with_its_own_start(folder: Path, name: str) -> None:
    numbers = numbers_of(folder)
    whole = open_recording(folder / "continuous.dat")
    rate = whole.attrs["sampling_frequency"]
    numbers[50_000:] += 700
    numbers[90_000:] -= 20_000  # a clock that was set back
    np.save(folder / name, numbers)
    with pytest.warns(XephysWarning, match=r"jump 2 times \(700 samples were lost, the first at .* opened as 3 segm"):
        pieces = segments_of(open_recording(folder.parents[1], chunk_duration_s=0.4))
    assert [piece.sizes["time"] for piece in pieces] == [50_000, 40_000, len(numbers) - 90_000]
    edges = [0, 50_000, 90_000, len(numbers)]
    for piece, start, stop in zip(pieces, edges[:-1], edges[1:], strict=True):
        assert float(piece.time[0]) == pytest.approx(numbers[start] / rate, abs=1e-9)
        np.testing.assert_array_equal(piece.values, whole.values[start:stop])
        assert piece.sizes["channel"] == whole.sizes["channel"]
        assert set(piece.coords) == set(whole.coords)


def test_filters_do_not_see_across_a_jump(folder: Path) -> None:
    numbers = numbers_of(folder)
    numbers[50_000:] += 700
    np.save(folder / "timestamps.npy", numbers)
    with pytest.warns(XephysWarning, match="jump 1 times"):
        first, second = segments_of(open_recording(folder / "continuous.dat"))
    raw = np.fromfile(folder / "continuous.dat", "int16").reshape(-1, first.sizes["channel"])
    for piece, samples in ((first, raw[:50_000]), (second, raw[50_000:])):
        filtered = bandpass_filter(piece)
        assert count_tasks(filtered) == len(filtered.chunks[0])
        alone = piece.copy(data=samples)
        np.testing.assert_array_equal(filtered.values, bandpass_filter(alone).values)


def test_fewer_samples_than_numbers_are_reported(folder: Path) -> None:
    file = folder / "continuous.dat"
    numbers = numbers_of(folder)
    row = file.stat().st_size // len(numbers)
    with file.open("r+b") as opened:
        opened.truncate(1000 * row + 4)
    with pytest.warns(XephysWarning) as said:
        recording = open_recording(file)
    assert recording.sizes["time"] == 1000
    sentences = " ".join(str(warning.message) for warning in said)
    assert f"holds 1000 samples and the file beside it numbers {len(numbers)}" in sentences
    assert "ends within a sample, so it was cut; using the 1000 that are whole" in sentences
    with file.open("r+b") as opened:
        opened.truncate(1000 * row + 3)
    with pytest.raises(RecordingError, match="ends within a sample, so it was cut or is still being written"):
        open_recording(file)


def test_invalid_sample_numbers_are_refused(folder: Path) -> None:
    np.save(folder / "timestamps.npy", 2 * numbers_of(folder))
    with pytest.raises(RecordingError, match=r"jump .* times, more than 1000"):
        open_recording(folder / "continuous.dat")


def test_jumps_are_found_with_any_block_size(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = np.cumsum(np.random.default_rng(0).choice([1, 1, 1, 5, 0], 200))
    expected = (1 + np.flatnonzero(np.diff(numbers) != 1)).tolist()
    for block in (1, 2, 7, 199, 200, 500):
        monkeypatch.setattr(open_ephys, "_BLOCK", block)
        assert jumps_of(numbers).tolist() == expected
    assert jumps_of(numbers[:1]).tolist() == jumps_of(numbers[:0]).tolist() == []
