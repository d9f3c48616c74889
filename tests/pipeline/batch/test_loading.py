"""Recordings as they are sorted: slices, epochs, scale, orientation, and missing filters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import xephys
from xephys.errors import ParameterError, RecordingError
from xephys.pipeline.batch.loading import PLUGIN_VARIABLE, load_segments
from xephys.pipeline.classified import HDF5PluginMissingError
from xephys.pipeline.config.groups import RecordingConfig


@pytest.fixture
def file(write_wells: Callable[..., list[Path]]) -> Path:
    return write_wells(1)[0] / "file0.bin"


def test_slices_and_epochs_are_those_of_the_file(file: Path) -> None:
    whole = xephys.open_recording(file)
    (part,) = load_segments(file, RecordingConfig(start_time_s=0.5, end_time_s=1.5))
    np.testing.assert_array_equal(part.values, whole.values[15_000:45_000])
    (start,) = load_segments(file, RecordingConfig(first_n_mins=0.01))
    assert start.sizes["time"] == 18_000
    epochs = load_segments(file, RecordingConfig(rec_chunks=((0, 300), (600, 1000))))
    assert [epoch.sizes["time"] for epoch in epochs] == [300, 400]
    np.testing.assert_array_equal(epochs[1].values, whole.values[600:1000])
    with pytest.raises(RecordingError, match="samples 0 to 90000 are to be sorted and the recording has 60000"):
        load_segments(file, RecordingConfig(rec_chunks_s=((0, 3),)))


def test_scale_and_orientation(file: Path) -> None:
    (plain,) = load_segments(file, RecordingConfig(gain_to_uv=2.0, offset_to_uv=1.0))
    assert set(plain.coords["gain_to_uv"].values) == {2.0} and set(plain.coords["offset_to_uv"].values) == {1.0}
    (flipped,) = load_segments(file, RecordingConfig(mea_y_max=-1))
    assert flipped.coords["y"].values.tolist() == plain.coords["y"].values[::-1].tolist()
    (from_200,) = load_segments(file, RecordingConfig(mea_y_max=200.0))
    np.testing.assert_array_equal(from_200.coords["y"], 200 - plain.coords["y"].values)


def test_other_arguments_of_readers(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-7])
    with pytest.raises(RecordingError, match="ignore_trailing_bytes=True"):
        load_segments(file, RecordingConfig())
    (cut,) = load_segments(file, RecordingConfig(reader_options={"ignore_trailing_bytes": True}))
    assert cut.sizes["time"] == 59_999
    with pytest.raises(ParameterError, match="ignore_trailing_bytes"):
        load_segments(file, RecordingConfig(reader_options={"ignore_trailing_byte": True}))
    for name, why in (("gain_to_uv", "the field of that name"), ("trust", "must not make files run code")):
        with pytest.raises(ParameterError, match=why):
            RecordingConfig(reader_options={name: 1})
    with pytest.raises(ParameterError, match="reader_options is for files"):
        load_segments(xephys.open_recording(file, ignore_trailing_bytes=True), RecordingConfig(reader_options={}))


def test_recordings_at_hand_take_no_fields_of_files(file: Path) -> None:
    recording = xephys.open_recording(file)
    assert load_segments(xephys.to_spikeinterface(recording), RecordingConfig())[0].sizes == recording.sizes
    with pytest.raises(ParameterError, match="gain_to_uv is for files"):
        load_segments(recording, RecordingConfig(gain_to_uv=2.0))


def test_the_folder_of_a_filter_has_to_exist(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PLUGIN_VARIABLE, "before")
    with pytest.raises(HDF5PluginMissingError) as raised:
        load_segments(file, RecordingConfig(hdf5_plugin_path=str(tmp_path / "no")))
    assert raised.value.configured_path == str(tmp_path / "no")


def test_a_file_that_needs_a_filter_which_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HDF5 itself reports it: a data set whose filter number nobody has registered."""
    h5py = pytest.importorskip("h5py")
    monkeypatch.setenv(PLUGIN_VARIABLE, "before")
    path = tmp_path / "compressed.h5"
    with h5py.File(path, "w") as file:
        create = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        create.set_chunk((4,))
        create.set_filter(32_099, h5py.h5z.FLAG_OPTIONAL, ())
        space = h5py.h5s.create_simple((4,))
        h5py.h5d.create(file.id, b"raw", h5py.h5t.NATIVE_INT16, space, create)
        file["raw"].id.write_direct_chunk((0,), b"12345678")

    def read(*args: object, **given: object) -> None:
        with h5py.File(path) as file:
            file["raw"][:]

    monkeypatch.setattr("xephys.io.read.open.open_recording", read)
    with pytest.raises(HDF5PluginMissingError) as raised:
        load_segments(path, RecordingConfig(hdf5_plugin_path=str(tmp_path)))
    assert raised.value.configured_path == str(tmp_path)


def test_an_array_is_no_recording() -> None:
    with pytest.raises(
        ParameterError, match=r"given as numpy\.ndarray; give a path, .* or one made by xephys\.make_rec"
    ):
        load_segments(np.zeros((10, 4)), RecordingConfig())
