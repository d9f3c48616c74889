"""Arguments for readers: what a reader does not take is refused, with the nearest name, whatever the file."""

import numpy as np
import pytest

import xephys
from xephys.io.read.formats import FORMATS
from xephys.io.read.reader_options import check_reader_options, reader_parameters
from xephys.io.read.si_reader import reader_class


def test_readers_say_what_they_take():
    for known in FORMATS:
        if known.reader and known.name != "mearec":
            assert not {"file_path", "folder_path", "stream_id", "kwargs"} & set(reader_parameters(reader_class(known)))
    by_name = {known.name: known for known in FORMATS}
    assert "experiment_name" in reader_parameters(reader_class(by_name["openephys-binary"]))


def test_what_a_reader_does_not_take_is_refused():
    check_reader_options(["gap_ms"], ["gap_ms"], ["dtype"], what="a file")
    with pytest.raises(
        xephys.ParameterError, match=r"no parameter 'gapms' for a file; its reader takes gap_ms; did you mean 'gap_ms'"
    ):
        check_reader_options(["gapms"], ["gap_ms"], ["dtype"], what="a file")
    with pytest.raises(xephys.ParameterError, match=r"its reader takes no others; did you mean 'dtype'"):
        check_reader_options(["d_type"], [], ["dtype"], what="a file")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"n_chanels": 4, "dtype": "int16"}, "no parameter 'n_chanels'; did you mean 'n_channels'"),
        ({"nchan": 4}, "no parameter 'nchan'; did you mean 'n_channels'"),
        ({}, "sampling_frequency would describe a raw binary file, which needs n_channels too"),
        ({"n_channels": 4, "gain": 0.2}, "no parameter 'gain' for a raw binary file.*did you mean 'gain_to_uv'"),
        ({"n_channels": 4, "channel_ids": [0, 0, 1, 2]}, "names belong to several channels"),
    ],
)
def test_a_misspelled_description_of_a_raw_file_is_named(tmp_path, given, message):
    file = tmp_path / "a.dat"
    np.zeros((300, 4), "i2").tofile(file)
    with pytest.raises(ValueError, match=message):
        xephys.open_recording(file, sampling_frequency=30_000.0, **given)


def test_a_folder_of_white_matter_opens(tmp_path):
    name = "HSW_2024_12_12__10_28_23__70min_17sec__hsamp_4ch_25000sps.bin"
    np.zeros(4 + 300 * 4, "<i2").tofile(tmp_path / name)  # after a header of 8 bytes
    assert xephys.open_recording(tmp_path).shape == (300, 4)
    with pytest.raises(xephys.ParameterError, match="has no streams"):
        xephys.open_recording(tmp_path, stream_id="1")
    with pytest.raises(xephys.ParameterError, match=r"no parameter 'is_filterd'.*did you mean 'is_filtered'"):
        xephys.open_recording(tmp_path, is_filterd=True)
