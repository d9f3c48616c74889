"""What a path may hold: recordings of one or several segments, sortings of every kind, and what is neither."""

from __future__ import annotations

import numpy as np
import pytest

from tests.curate.trains import trains_of
from xephys.cli.paths import find_learned, find_sorting, open_segments
from xephys.errors import ParameterError, RecordingError
from xephys.io.store.save import save_recording
from xephys.recording.segments import segments_of, tree_of
from xephys.schema import make_recording


def test_segments_are_given_as_paths_or_chosen_by_index(tmp_path):
    whole = make_recording(np.arange(4000, dtype="i2").reshape(2000, 2), sampling_frequency=1000.0)
    save_recording(tree_of([whole[:1200], whole[1200:]]), tmp_path / "two")
    tree = open_segments([tmp_path / "two", tmp_path / "two"])
    assert [piece.sizes["time"] for piece in segments_of(tree)] == [1200, 800, 1200, 800]
    np.testing.assert_array_equal(open_segments([tmp_path / "two"], segment=1).values, whole[1200:].values)
    save_recording(whole[:, :1], tmp_path / "narrow")
    with pytest.raises(RecordingError, match=r"segment 2 has channels \[0\] and segment 0 has \[0, 1\]"):
        open_segments([tmp_path / "two", tmp_path / "narrow"])


def test_spikes_in_a_file_of_arrays_are_a_sorting(tmp_path):
    path = tmp_path / "spikes.npz"
    np.savez(path, sample=[10, 20, 30], unit=[4, 9, 4], sampling_frequency=1000.0)
    found = find_sorting(path)
    assert trains_of(found) == {4: [10, 30], 9: [20]}
    with pytest.raises(ParameterError, match="is not a result of xephys sort"):
        find_learned(path)


def test_other_paths_are_refused_as_sortings(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist; check the path"):
        find_sorting(tmp_path / "nothing")
    np.savez(tmp_path / "part.npz", sample=[1])
    with pytest.raises(RecordingError, match="has no array sampling_frequency, unit"):
        find_sorting(tmp_path / "part.npz")
    (tmp_path / "text.npz").write_text("nothing of the kind")
    with pytest.raises(RecordingError, match=r"is not an .npz file of arrays"):
        find_sorting(tmp_path / "text.npz")
