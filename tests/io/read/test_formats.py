"""Formats are recognized by their files or given by name."""

from __future__ import annotations

import pytest

from xephys.errors import ParameterError, RecordingError
from xephys.io.read.formats import FORMATS, detect_format, format_named


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
