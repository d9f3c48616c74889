"""Segments are joined on one time axis and separated again."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from xephys.errors import ParameterError, RecordingError
from xephys.recording.clock import first_sample
from xephys.recording.segments import segments_of, tree_of

from .test_segments import segment


def test_joined_segments_are_separated_again():
    parts = [segment(0, start_s=3.0), segment(1, n=2500)[500:], segment(2, n=900, start_s=8.0)]
    tree = xephys.append_segments([tree_of(parts[:2]), parts[2]])
    assert list(tree.children) == ["segment_0", "segment_1", "segment_2"]
    joined = xephys.concatenate_segments(tree, gap_ms=10)
    assert joined.sizes["time"] == 4000 + 2000 + 900 + 200 and float(joined.time[0]) == 0.0
    scaled = xephys.split_segments(xephys.scale(joined, gain=2.0))
    for part, back in zip(parts, segments_of(scaled), strict=True):
        np.testing.assert_array_equal(back.values, 2.0 * part.values)
        assert back.xindexes["time"].equals(part.xindexes["time"])
        assert first_sample(back) == first_sample(part) and back.attrs["a"] == 1
    with pytest.raises(RecordingError, match=r"has 7000 samples and was joined of 7100: samples were taken from it"):
        xephys.split_segments(joined[100:])
    with pytest.raises(RecordingError, match="was not joined by concatenate_segments"):
        xephys.split_segments(parts[0])


def test_a_channel_that_is_bad_in_one_segment_is_bad():
    joined = xephys.concatenate_segments([segment(0), segment(1, bad=np.array([False, True]))])
    assert joined.bad.values.tolist() == [False, True]


def test_wrong_calls_of_joining():
    with pytest.raises(ParameterError, match="gap_ms is -1; it must be at least 0"):
        xephys.concatenate_segments([segment(0)], gap_ms=-1)
    with pytest.raises(RecordingError, match="segment 1 has channels"):
        xephys.concatenate_segments([segment(0), segment(1, n_channels=3)])
