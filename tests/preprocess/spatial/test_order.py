import numpy as np
import pytest

import xephys
from xephys.errors import ParameterError
from xephys.graph.build import count_tasks
from xephys.testing import simulate_recording


@pytest.fixture(scope="module")
def recording():
    recording = simulate_recording(duration_s=2, n_channels=8, n_units=1, seed=0)[0]
    return xephys.select_channels(recording, recording.channel.values[[3, 7, 0, 5, 1, 2, 6, 4]])


def test_channels_are_ordered_by_depth_then_across(recording):
    ordered = xephys.depth_order(recording)
    places = list(zip(ordered.y.values.tolist(), ordered.x.values.tolist(), strict=True))
    assert places == sorted(places)
    np.testing.assert_array_equal(ordered.values, recording.sel(channel=ordered.channel).values)
    np.testing.assert_array_equal(xephys.depth_order(recording, descending=True).channel, ordered.channel[::-1])
    assert count_tasks(ordered) == count_tasks(recording)
    with pytest.raises(ParameterError, match="give coordinates of the channels, which are"):
        xephys.depth_order(recording, dimensions=("depth",))


def test_zeros_are_added_beside_the_channels(recording):
    ids = recording.channel.values.astype(str)
    padded = xephys.pad_channels(recording, channel_ids=["new", *ids[::-1], "newer"])
    assert padded.channel.values.tolist() == ["new", *ids[::-1].tolist(), "newer"]
    np.testing.assert_array_equal(padded.values[:, 1:-1], recording.values[:, ::-1])
    assert (padded.values[:, [0, -1]] == 0).all()
    assert padded.bad.values.tolist() == [True, *[False] * 8, True]
    assert np.isnan(padded.y.values[[0, -1]]).all()
    np.testing.assert_array_equal(padded.time, recording.time)
    assert padded.dtype == recording.dtype
    assert count_tasks(padded) == count_tasks(recording)
    with pytest.raises(ParameterError, match="of the recording is missing; name each channel once"):
        xephys.pad_channels(recording, channel_ids=ids[:-1])
    with pytest.raises(ParameterError, match="a channel is given twice"):
        xephys.pad_channels(recording, channel_ids=[*ids, ids[0]])
