"""Segments of a recording as a tree, and back in their order."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from xephys.errors import RecordingError
from xephys.recording.segments import segments_of, tree_of
from xephys.schema import make_recording

WHOLE = make_recording(np.arange(240).reshape(120, 2), sampling_frequency=1000.0)


def test_there_and_back_in_the_order_of_numbers():
    pieces = [WHOLE[10 * k : 10 * k + 10] for k in range(12)]  # segment_10 comes after segment_9
    back = segments_of(tree_of(pieces))
    assert [piece.values[0, 0] for piece in back] == [20 * k for k in range(12)]
    assert segments_of(WHOLE)[0] is WHOLE


def test_what_holds_no_traces():
    with pytest.raises(TypeError, match=r"expected a recording .*got list"):
        segments_of([WHOLE])
    with pytest.raises(RecordingError, match="no node of the tree holds 'traces'"):
        segments_of(xr.DataTree.from_dict({"a": xr.Dataset({"spikes": ("spike", [1])})}))
