"""Files behind a SpikeInterface reader: which files they are, and that they are found from any folder."""

from __future__ import annotations

import os
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

from xephys.graph.source import BinarySource
from xephys.io.read import si_source
from xephys.io.read.open import open_recording
from xephys.recording.stages import recording_plan


def test_samples_beside_an_intan_header_are_part_of_the_recordings_identity(data: Path, tmp_path: Path) -> None:
    for file in (data / "intan/one_file_per_channel").iterdir():
        shutil.copyfile(file, tmp_path / file.name)
    header = tmp_path / "info.rhd"
    first = open_recording(header).data.name
    (tmp_path / "out").mkdir()
    assert open_recording(header).data.name == first
    samples = np.fromfile(tmp_path / "amp-A-002.dat", "int16")
    (samples + 1).tofile(tmp_path / "amp-A-002.dat")
    os.utime(tmp_path / "amp-A-002.dat", ns=(1, 1))
    assert open_recording(header).data.name != first


def test_samples_beside_an_axona_header(tmp_path: Path) -> None:
    header = tmp_path / "a.set"
    header.touch()
    assert si_source._files_of(header) == [header]
    for name in ("a.bin", "b.bin"):
        (tmp_path / name).touch()
    assert si_source._files_of(header) == [header, tmp_path / "a.bin"]
    assert si_source._files_of(tmp_path / "a.bin") == [tmp_path / "a.bin"]


@pytest.mark.parametrize(
    "path",
    [
        "spikeglx/np1",
        "spikeglx/np1/Noise4Sam_g0_imec0/Noise4Sam_g0_t0.imec0.ap.bin",
        "openephys_cortex16/binary",
        "openephys_cortex16/legacy",
        "intan/one_file_per_channel",
        "plexon/File_plexon_3.plx",
    ],
)
def test_a_relative_path_is_read_from_another_folder(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.chdir(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a sample file is shorter than its .meta says
        opened = open_recording(path)
    monkeypatch.chdir(tmp_path)
    assert opened[:100].values.shape == (100, opened.sizes["channel"])
    source = recording_plan(opened).source
    assert not isinstance(source, BinarySource) or Path(source.path).is_absolute()


def test_results_inside_the_source_folder_do_not_change_its_identity(data: Path, tmp_path: Path) -> None:
    """A second sort into the folder of the recording must reuse the results of the first."""
    for file in (data / "openephys_cortex16/legacy/Record Node 101").iterdir():
        shutil.copyfile(file, tmp_path / file.name)
    first = open_recording(tmp_path).data.name
    (tmp_path / "out" / ".work").mkdir(parents=True)
    (tmp_path / "sorted" / "sorting.zarr").mkdir(parents=True)
    (tmp_path / ".sorting.zarr.partial-0-1-2").mkdir()
    assert open_recording(tmp_path).data.name == first
    for name in (".work", "sorting.zarr", "phy"):
        (tmp_path / name).mkdir()
    assert open_recording(tmp_path).data.name == first
    (tmp_path / "settings.xml").write_text("changed")
    assert open_recording(tmp_path).data.name != first
