"""Formats are recognized by their files or given by name."""

from __future__ import annotations

import pytest

from xephys.errors import ParameterError, RecordingError
from xephys.io.read.formats import FORMATS, detect_format, format_named
from xephys.io.read.open import open_recording


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
    "names", [["a.ns2", "b.ns2"], ["a.nwb", "b.nwb"], ["a.rhd", "b.plx", "c.plx", "d.txt", "e.plx"]]
)
def test_a_folder_of_several_recordings_lists_them(names, tmp_path):
    for name in names:
        (tmp_path / name).touch()
    given = [name for name in names if not name.endswith("txt")]
    if names[0] == "a.rhd":
        (tmp_path / "f.rhd").touch()
        given.append("f.rhd")
    with pytest.raises(RecordingError, match=f"{len(given)} recordings, {', '.join(given)}; give the path of one"):
        detect_format(tmp_path)


def test_several_runs_of_spikeglx_are_told_apart(data):
    with pytest.raises(RecordingError, match=r"holds several recordings of one stream; give the folder or the \.bin"):
        open_recording(data / "spikeglx")


@pytest.mark.parametrize("name", ["blackrock/l101210-001.nev", "neuralynx_tetrode_spikes/TT1.ntt"])
def test_files_of_spikes_are_said_to_have_no_traces(data, name):
    with pytest.raises(RecordingError, match="no traces: open the"):
        open_recording(data / name)
