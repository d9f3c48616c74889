"""The file that is named is the one that opens, even if its reader takes the folder."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

from xephys.errors import ParameterError, RecordingError, XephysWarning
from xephys.io.read.open import open_recording
from xephys.recording.segments import segments_of

BINARY = "openephys_cortex16/binary/Record Node 118/experiment1/recording1"
STREAM = "File_Reader-106.0"


@pytest.fixture
def two_triggers(data: Path, tmp_path: Path) -> tuple[Path, np.ndarray]:
    """A SpikeGLX run with two triggers, of 600 and 400 samples, and all samples."""
    source = data / "spikeglx/np1/Noise4Sam_g0_imec0/Noise4Sam_g0_t0.imec0.ap.bin"
    samples, meta = np.fromfile(source, "int16").reshape(-1, 385), source.with_suffix(".meta").read_text()
    for name, rows in (("run_g0_t0.imec0.ap", slice(0, 600)), ("run_g0_t1.imec0.ap", slice(600, 1000))):
        samples[rows].tofile(tmp_path / f"{name}.bin")
        lines = [
            f"fileName={name}.bin" if line.startswith("fileName=") else line
            for line in meta.splitlines()
            if not line.startswith("fileSizeBytes")
        ]
        (tmp_path / f"{name}.meta").write_text("\n".join([*lines, f"fileSizeBytes={samples[rows].nbytes}"]))
    return tmp_path, samples[:1000, :384]


def test_each_trigger_of_spikeglx_opens(two_triggers: tuple[Path, np.ndarray]) -> None:
    folder, samples = two_triggers
    assert [piece.sizes["time"] for piece in segments_of(open_recording(folder))] == [600, 400]
    for name, rows in (("t0", slice(0, 600)), ("t1", slice(600, 1000))):
        file = folder / f"run_g0_{name}.imec0.ap.bin"
        for options in ({}, {"segment": 0}):
            np.testing.assert_array_equal(open_recording(file, **options).values, samples[rows])
        with pytest.raises(RecordingError, match="segment 1 does not exist"):
            open_recording(file, segment=1)


def test_a_cut_file_is_reported_only_if_it_is_opened(two_triggers: tuple[Path, np.ndarray]) -> None:
    folder, samples = two_triggers
    samples[:100].tofile(folder / "run_g0_t1.imec0.ap.bin")
    with warnings.catch_warnings():
        warnings.simplefilter("error", XephysWarning)
        open_recording(folder / "run_g0_t0.imec0.ap.bin")
    with pytest.warns(XephysWarning, match="run_g0_t1.*its .meta says"):
        open_recording(folder / "run_g0_t1.imec0.ap.bin")


@pytest.fixture
def neuropixels(data: Path, tmp_path: Path) -> Path:
    shutil.copytree(data / "openephys_np_multistream", tmp_path / "session")
    return tmp_path / "session/Record Node 101/experiment3/recording1/continuous"


def test_a_stream_of_open_ephys(neuropixels: Path) -> None:
    for stream, n_channels in (("Neuropix-PXI-100.ProbeB", 384), ("Neuropix-PXI-100.ProbeC", 384)):
        file = neuropixels / stream / "continuous.dat"
        opened = open_recording(file)
        assert opened.sizes["channel"] == n_channels
        expected = np.fromfile(file, "int16").reshape(opened.sizes["time"], -1)[:, :n_channels]
        np.testing.assert_array_equal(opened.values, expected)
    with pytest.raises(ParameterError, match=r"holds '.*PXI-100\.ProbeC'; leave stream_id out"):
        open_recording(file, stream_id="Record Node 101#Neuropix-PXI-100.ProbeB")


def test_the_description_of_an_open_ephys_recording(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = open_recording(data / BINARY / "structure.oebin")
    np.testing.assert_array_equal(opened[:50].values, open_recording(data / "openephys_cortex16/binary")[:50].values)
    monkeypatch.chdir(data / BINARY)
    assert open_recording("structure.oebin").sizes == opened.sizes
    assert open_recording(f"continuous/{STREAM}/continuous.dat").sizes == opened.sizes


def test_the_folders_inside_an_open_ephys_recording(neuropixels: Path, data: Path) -> None:
    stream = neuropixels / "Neuropix-PXI-100.ProbeC"
    np.testing.assert_array_equal(open_recording(stream).values, open_recording(stream / "continuous.dat").values)
    with pytest.raises(RecordingError, match="2 streams that could be meant"):
        open_recording(neuropixels)
    whole = open_recording(data / BINARY)
    assert open_recording(data / BINARY / "continuous").sizes == whole.sizes
    assert open_recording(data / BINARY / "continuous" / STREAM).sizes == whole.sizes


def test_a_channel_of_open_ephys_legacy(data: Path) -> None:
    folder = data / "openephys_cortex16/legacy/Record Node 101"
    whole = open_recording(folder)
    for name in ("CH1", "CH10"):
        opened = open_recording(folder / f"100_example-data_{name}.continuous")
        assert opened.sizes["channel"] == 1
        np.testing.assert_array_equal(opened[:3000].values, whole.sel(channel=opened.channel)[:3000].values)
        header = 1024 + 12  # the file's header, and that of its first block of 1024 big-endian samples
        raw = np.fromfile(folder / f"100_example-data_{name}.continuous", ">i2", 1024, offset=header)
        np.testing.assert_array_equal(opened[:1024, 0].values, raw)


def test_a_channel_of_neuralynx(data: Path) -> None:
    folder = data / "neuralynx_5ch"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", (FutureWarning, DeprecationWarning))
        whole = segments_of(open_recording(folder))
        alone = segments_of(open_recording(folder / "CSC3.ncs"))
    assert [piece.sizes["channel"] for piece in alone] == [1] * len(whole)
    for one, all_channels in zip(alone, whole, strict=True):
        np.testing.assert_array_equal(one.values, all_channels.sel(channel=one.channel).values)
