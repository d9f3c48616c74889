"""What is at a path: recordings of one segment, sortings of every kind, and what is neither."""

from __future__ import annotations

import numpy as np
import pytest

from tests.curate.trains import trains_of
from xephys.cli.paths import find_learned, find_sorting, one_segment
from xephys.errors import ParameterError, RecordingError
from xephys.io.store.save import save_recording
from xephys.recording.segments import tree_of
from xephys.schema import make_recording


def test_of_several_segments_one_must_be_named(tmp_path):
    whole = make_recording(np.arange(4000, dtype="i2").reshape(2000, 2), sampling_frequency=1000.0)
    save_recording(tree_of([whole[:1200], whole[1200:]]), tmp_path / "two")
    with pytest.raises(RecordingError, match=r"has 2 segments .*give --segment 0 to 1"):
        one_segment(tmp_path / "two")
    np.testing.assert_array_equal(one_segment(tmp_path / "two", segment=1).values, whole[1200:].values)


def test_spikes_in_a_file_of_arrays(tmp_path):
    path = tmp_path / "spikes.npz"
    np.savez(path, sample=[10, 20, 30], unit=[4, 9, 4], sampling_frequency=1000.0)
    found = find_sorting(path)
    assert trains_of(found) == {4: [10, 30], 9: [20]}
    with pytest.raises(ParameterError, match="is no result of xephys sort"):
        find_learned(path)


def test_what_is_no_sorting(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist; check the path"):
        find_sorting(tmp_path / "nothing")
    np.savez(tmp_path / "part.npz", sample=[1])
    with pytest.raises(RecordingError, match="has no array sampling_frequency, unit"):
        find_sorting(tmp_path / "part.npz")
    (tmp_path / "text.npz").write_text("nothing of the kind")
    with pytest.raises(RecordingError, match=r"is not an .npz file of arrays"):
        find_sorting(tmp_path / "text.npz")
