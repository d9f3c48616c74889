"""Places, marks and noise levels of channels, as operations ask for them."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from xephys.errors import RecordingError
from xephys.per_channel import bad_channels_of, noise_levels_of, place_single_channel, positions_of
from xephys.schema import make_recording


def recording(n_channels=2, **coordinates):
    traces = np.zeros((300, n_channels), "i2")
    return make_recording(traces, sampling_frequency=1000.0, coordinates=coordinates)


def test_positions_are_two_columns_in_um():
    assert positions_of(recording(x=[0, 10], y=[5, 6]), why="a test").tolist() == [[0.0, 5.0], [10.0, 6.0]]


@pytest.mark.parametrize(
    ("coordinates", "message"),
    [
        ({"x": [0, 10]}, "a test needs the positions of the channels, and the recording has no y"),
        ({}, "the recording has no x or y; give a probe file .*--probe FILE.*'together', 'tetrodes' .*'apart'"),
        ({"x": [0, np.nan], "y": [0, 1]}, "some channel positions are not finite"),
    ],
)
def test_missing_positions_are_refused_with_the_remedy(coordinates, message):
    with pytest.raises(RecordingError, match=message):
        positions_of(recording(**coordinates), why="a test")


def test_a_single_channel_needs_no_position():
    single = recording(n_channels=1)
    assert positions_of(single, why="a test").tolist() == [[0.0, 0.0]]
    assert place_single_channel(single).y.values.tolist() == [0.0]
    placed = recording(n_channels=1, x=[3.0], y=[4.0])
    assert place_single_channel(placed) is placed
    assert "x" not in place_single_channel(recording()).coords


def test_marked_channels_are_a_mask():
    assert bad_channels_of(recording(bad=[False, True])).tolist() == [False, True]
    assert bad_channels_of(recording()).tolist() == [False, False]


def test_noise_levels_are_one_per_channel_in_the_unit_of_the_traces():
    made = recording().assign_attrs(units="uV")
    given = xr.DataArray(np.array([3.0, 4.0], "f4"), dims="channel", attrs={"units": "uV"})
    np.testing.assert_array_equal(noise_levels_of(made, given), given.values)
    assert noise_levels_of(made, [3.0, 4.0]).tolist() == [3.0, 4.0]
    with pytest.raises(RecordingError, match=r"noise_levels has shape \(3,\) for 2 channels"):
        noise_levels_of(made, np.ones(3))
    with pytest.raises(RecordingError, match="the noise levels are in counts and the traces in uV; estimate them on"):
        noise_levels_of(made, given.assign_attrs(units="counts"))
