"""Segments are sorted jointly: units are shared, and every spike is in its segment."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from xephys.errors import RecordingError
from xephys.sorter.segments import join_segments


@pytest.fixture(scope="module")
def tree(opened):
    """Three parts of the recording; the last has an axis of its own that starts at 100 s."""
    whole = opened(2.0)
    last = whole.isel(time=slice(240_000, None))
    last = last.assign_attrs(segment_start_s=100.0).drop_vars("time")
    last = last.assign_coords(xephys.schema.time_coordinate(last.sizes["time"], 30_000.0, 100.0))
    return xephys.append_segments([whole.isel(time=slice(0, 100_000)), whole.isel(time=slice(100_000, 240_000)), last])


def test_spikes_equal_those_of_the_whole(tree, expected):
    joint = xephys.sort(tree)
    assert joint["units"].sizes == expected["units"].sizes
    spikes = joint["spikes"].dataset
    index, sample = spikes["segment_index"].values, spikes["sample_index"].values
    # With an axis of its own, the last segment no longer has its place on that of the whole.
    on_whole = sample + np.array([0, 0, 240_000 if joint.attrs["first_sample"][2] == 0 else 0])[index]
    expected_samples = expected["spikes"]["sample_index"].values
    assert np.isin(on_whole, expected_samples).mean() > 0.985
    assert np.isin(expected_samples, on_whole).mean() > 0.985
    assert np.bincount(index, minlength=3).min() > 50
    times = spikes["time"].values
    np.testing.assert_allclose(times[index == 1], sample[index == 1] / 30_000)
    assert (times[index == 2] >= 100).all()
    assert xephys.to_spikeinterface(joint).get_num_segments() == 3


def test_a_tree_of_one_segment_is_sorted_like_the_segment(opened):
    whole = opened(2.0)
    assert join_segments(xephys.append_segments([whole])).equals(whole)
    assert join_segments(whole) is whole


def test_segments_with_other_channels_are_refused(opened):
    whole = opened(2.0)
    with pytest.raises(RecordingError, match="segment 1 has channels"):
        xephys.sort(xephys.append_segments([whole, whole.isel(channel=slice(0, 16))]))
    tree = xephys.append_segments([whole])
    tree["segment_1/traces"] = whole.isel(channel=slice(0, 16)).rename(channel="channel")
    with pytest.raises(RecordingError, match="segment 1 has channels"):
        xephys.sort(tree)
