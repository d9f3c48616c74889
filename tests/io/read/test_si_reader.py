"""Readers of SpikeInterface: the stream may be given or be obvious; what they raise is one sentence with a remedy."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from xephys.errors import ParameterError, RecordingError
from xephys.io.read import si_reader
from xephys.io.read.formats import FORMATS
from xephys.io.read.si_reader import choose_stream

BY_NAME = {known.name: known for known in FORMATS}


def raising(error):
    def read(**_):
        raise error

    return lambda _: read


@pytest.mark.parametrize(
    ("name", "error", "kind", "message"),
    [
        ("nwb", ModuleNotFoundError("No module named 'pynwb'", name="pynwb"), ImportError, "run pip install pynwb$"),
        (
            "nwb",
            ValueError("Multiple ElectricalSeries found, are: ['a', 'b']."),
            RecordingError,
            r"one of \['a'",
        ),
        ("nwb", ValueError("Multiple ElectricalSeries found, are: []."), RecordingError, "holds no ElectricalSeries"),
        ("mearec", AssertionError(), RecordingError, "looks like MEArec, but could not be read: AssertionError"),
        ("mearec", ValueError("not a multiple of the data-type size"), RecordingError, "ends within a sample"),
        ("axona", ValueError("first line\nand many more"), RecordingError, "could not be read: first line$"),
    ],
)
def test_what_a_reader_raises_is_one_sentence_with_a_remedy(monkeypatch, name, error, kind, message):
    monkeypatch.setattr(si_reader, "_reader", raising(error))
    with pytest.raises(kind, match=message) as caught:
        si_reader.read_with_spikeinterface(BY_NAME[name], Path("a.file"), stream_id=None, options={})
    assert caught.value.__cause__ is error


def test_a_stream_is_refused_where_there_are_none(monkeypatch):
    monkeypatch.setattr(si_reader, "_reader", raising(AssertionError("it was read")))
    with pytest.raises(ParameterError, match=r"stream_id is '1', and a\.set has no streams; leave it out"):
        si_reader.read_with_spikeinterface(BY_NAME["axona"], Path("a.set"), stream_id="1", options={})


def test_a_file_whose_samples_have_other_columns_than_channels_is_refused(monkeypatch):
    recording = SimpleNamespace(get_traces=lambda **_: SimpleNamespace(shape=(1, 3)), get_num_channels=lambda: 4)
    monkeypatch.setattr(si_reader, "_reader", lambda _: lambda **_: recording)
    with pytest.raises(RecordingError, match="names 4 channels and its samples are of 3"):
        si_reader.read_with_spikeinterface(BY_NAME["nwb"], Path("a.nwb"), stream_id=None, options={})


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["imec0.ap", "imec0.lf", "nidq"], "imec0.ap"),
        (["imec0.lf", "nidq"], "imec0.lf"),
        (["nidq"], "nidq"),
        (["amplifier", "supply voltage channel"], "amplifier"),
        ([], None),
    ],
)
def test_the_obvious_stream_is_chosen(tmp_path, names, expected):
    assert choose_stream(names, names, None, path=tmp_path) == expected


def test_several_possible_streams_are_listed(tmp_path):
    names, ids = ["imec0.ap", "imec1.ap"], ["0", "1"]
    with pytest.raises(RecordingError, match=r"holds 2 streams .*one of '0' \(imec0.ap\), '1' \(imec1.ap\)"):
        choose_stream(names, ids, None, path=tmp_path)
    assert choose_stream(names, ids, "imec1.ap", path=tmp_path) == choose_stream(names, ids, "1", path=tmp_path) == "1"
    with pytest.raises(RecordingError, match="has no stream '2'"):
        choose_stream(names, ids, "2", path=tmp_path)
