"""An unknown format is refused in three lines that name the formats a person would think of."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command_line import run
from xephys.errors import RecordingError
from xephys.io.read.format_hints import FILE_NAMES, nearest_formats
from xephys.io.read.formats import FORMATS
from xephys.io.read.open import open_recording


def test_every_format_has_names() -> None:
    assert set(FILE_NAMES) == {"raw", *(known.name for known in FORMATS)}


@pytest.mark.parametrize(
    ("name", "among"),
    [
        ("run_g0_t0.imec0.ap.cbin", {"spikeglx", "raw"}),
        ("continuous.dat", {"openephys-binary", "raw"}),
        ("CSC1.ncz", {"neuralynx"}),
        ("a.ns9", {"blackrock", "neuralynx"}),
        ("a.rhx", {"intan"}),
        ("a.oebin", {"openephys-binary"}),
        ("a.nwbx", {"nwb"}),
        ("a.EDF+", {"edf"}),
        ("a.recx", {"spikegadgets"}),
    ],
)
def test_the_nearest_formats_are_proposed(name: str, among: set[str]) -> None:
    assert among <= set(nearest_formats([name])[:3])


def test_the_error_has_three_lines(tmp_path: Path) -> None:
    (tmp_path / "a.ncz").write_bytes(b"x")
    with pytest.raises(RecordingError) as said:
        open_recording(tmp_path / "a.ncz")
    first, second, third = str(said.value).split("\n")
    assert first == f"{tmp_path / 'a.ncz'} is in no format that is known by its name or content"
    assert second.startswith("nearest by name are neuralynx (Neuralynx, .ncs), ")
    assert "format=NAME (--reader format=NAME)" in third
    assert "sampling_frequency, n_channels and dtype" in third
    shown = run("info", tmp_path / "a.ncz", expect=3).stderr
    assert shown == f"error: {said.value}\n"


def test_a_broken_description_beside_a_raw_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"x")
    for text, said in (
        ("{ broken", "a.json beside it is no JSON (Expecting"),
        ("{}", "lacks sampling_frequency or n_"),
    ):
        (tmp_path / "a.json").write_text(text, encoding="utf-8")
        with pytest.raises(RecordingError) as raised:
            open_recording(tmp_path / "a.bin")
        assert said in str(raised.value).split("\n")[0]


def test_for_a_folder_its_files_decide(tmp_path: Path) -> None:
    for name in ("a.cbin", "a.ch"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(RecordingError, match=r"nearest by name are spikeglx .*\n.*decompress it \(mtsdecomp\)"):
        open_recording(tmp_path)
