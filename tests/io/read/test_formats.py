"""Formats are recognized by their files or given by name; the stream may be given or be obvious."""

from __future__ import annotations

import pytest

from xephys.errors import ParameterError, RecordingError
from xephys.io.read.formats import FORMATS, choose_stream, detect_format, format_named


def test_names_of_formats_are_unique():
    assert len({known.name for known in FORMATS}) == len(FORMATS)


def test_a_format_is_recognized_by_its_files(tmp_path):
    file = tmp_path / "a.plx"
    file.touch()
    known, found = detect_format(file)
    assert (known.name, found) == ("plexon", file)
    assert detect_format(tmp_path)[1] == file  # the only such file in its folder
    (tmp_path / "b.other").touch()
    assert format_named("plexon", tmp_path / "b.other")[1] == tmp_path / "b.other"


def test_unknown_files_have_no_format(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(RecordingError, match="is in no format that is known"):
        detect_format(tmp_path / "notes.txt")
    with pytest.raises(ParameterError, match=r"format 'plexxon' does not exist; .*the nearest is 'plexon'"):
        format_named("plexxon", tmp_path)


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
