"""Slices in time and channels: still a plan, the same bits, one task per chunk."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import xephys
from xephys.errors import ParameterError
from xephys.graph.build import count_tasks, plan_of
from xephys.recording.slicing import sample_at
from xephys.schema import make_recording
from xephys.testing import forbid_compute, simulate_recording

RATE = 30_000


@pytest.fixture(scope="module")
def recording():
    return simulate_recording(duration_s=7.0, n_channels=8, n_units=2, seed=0)[0]


@pytest.mark.parametrize(
    ("start_s", "stop_s"), [(0.0, 7.0), (1.0, 1.01), (1.999, 4.001), (6.5, 7.0), (None, 2.0), (5.0, None)]
)
def test_time_slice_equals_the_slice_with_one_task_per_chunk(recording, start_s, stop_s):
    with forbid_compute():
        filtered = recording.ephys.bandpass_filter()
        part = filtered.ephys.time_slice(start_s, stop_s)
    first, last = round((start_s or 0) * RATE), round((7.0 if stop_s is None else stop_s) * RATE)
    plan = plan_of(part)
    assert plan is not None
    assert (plan.start, plan.stop) == (first, last)
    assert count_tasks(part) == part.data.numblocks[0] == len(range(first // (2 * RATE), -(-last // (2 * RATE))))
    expected = filtered.isel(time=slice(first, last))
    assert part.attrs["history"].splitlines()[-1].startswith("time_slice(")
    xr.testing.assert_identical(part.compute().assign_attrs(filtered.attrs), expected.compute())


def test_slices_of_slices(recording):
    part = recording.ephys.time_slice(1.0, 6.0).ephys.time_slice(2.0, 3.5)
    assert part.sizes["time"] == 1.5 * RATE
    assert float(part.time[0]) == pytest.approx(2.0)
    np.testing.assert_array_equal(part.values, recording.values[2 * RATE : round(3.5 * RATE)])
    assert count_tasks(part) == 1


def test_select_channels_keeps_the_plan_and_the_order(recording):
    with forbid_compute():
        filtered = recording.ephys.bandpass_filter()
        part = filtered.ephys.select_channels([6, 1])
    assert count_tasks(part) == filtered.data.numblocks[0]
    assert plan_of(part) is not None
    assert part.attrs["history"].splitlines()[-1] == "select_channels(channel_ids=[6, 1])"
    xr.testing.assert_identical(part.compute().assign_attrs(filtered.attrs), filtered.isel(channel=[6, 1]).compute())


def test_a_filter_after_slicing_sees_beyond_the_slice(recording):
    """Filters use the samples around a slice: its ends are not the recording's ends."""
    inside = recording.ephys.time_slice(3.0, 3.1).ephys.bandpass_filter()
    around = recording.ephys.bandpass_filter().ephys.time_slice(3.0, 3.1)
    np.testing.assert_array_equal(inside.values, around.values)


def test_opaque_arrays_are_sliced_too(recording):
    opaque = recording * 2
    opaque.attrs = recording.attrs
    assert plan_of(opaque) is None
    part = opaque.ephys.time_slice(1.0, 1.5).ephys.select_channels([3])
    np.testing.assert_array_equal(part.values, 2 * recording.values[RATE : round(1.5 * RATE), [3]])


@pytest.mark.parametrize(("start_s", "stop_s"), [(2.0, 2.0), (3.0, 1.0), (-1.0, 2.0), (0.0, 8.0)])
def test_time_slice_refuses_an_invalid_range(recording, start_s, stop_s):
    with pytest.raises(ParameterError, match="from 0 to 7 s"):
        recording.ephys.time_slice(start_s, stop_s)


@pytest.mark.parametrize(
    ("ids", "message"),
    [([], "0 channels"), ([1, 1], "2 channels are given, 1 different"), ([0, 99], "channels 99 do not")],
)
def test_select_channels_refuses(recording, ids, message):
    with pytest.raises(ParameterError, match=message):
        recording.ephys.select_channels(ids)


def test_time_slice_follows_an_irregular_clock():
    times = np.concatenate([np.arange(100), 500 + np.arange(100)]) / 1000
    array = make_recording(np.arange(400).reshape(200, 2), sampling_frequency=1000.0).drop_vars("time")
    array = array.assign_coords(xr.Coordinates({"time": xr.Variable("time", times)}, indexes={}))
    part = xephys.time_slice(array, 0.5, 0.51)
    np.testing.assert_array_equal(part.values[:, 0], 2 * np.arange(100, 110))
    part = xephys.time_slice(array, 0.0002, 0.3)  # from the nearest sample to the first one after the gap
    np.testing.assert_array_equal(part.values[:, 0], 2 * np.arange(100))
    assert sample_at(array, 0.0996) == sample_at(array, 0.2) == 100
    assert [sample_at(array, t) for t in (0.0992, 0.0994, 0.4999, 0.5001, 0.5993, 0.7)] == [99, 99, 100, 100, 199, 200]


@pytest.mark.parametrize(
    ("time_s", "expected"),
    [(0.0, 0), (0.1, 3000), (0.10001, 3000), (0.10002, 3001), (0.19998, 5999), (0.19999, 6000), (0.2, 6000)],
)
def test_a_vector_of_times_gives_the_samples_of_a_range(time_s, expected):
    array = make_recording(np.zeros((6000, 2), "f4"), sampling_frequency=30_000.0)
    vector = array.drop_vars("time").assign_coords(time=np.arange(6000) / 30_000.0)
    assert sample_at(vector, time_s) == sample_at(array, time_s) == expected
