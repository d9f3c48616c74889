"""Stored traces: values rounded to steps, the same in every place, computed once."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support import device_arrays
from xephys.errors import ParameterError
from xephys.graph.build import plan_of
from xephys.recording.kept import keep_recording, kept_integers, on_their_device
from xephys.testing import forbid_compute, simulate_recording

STEP = 0.5


@pytest.fixture
def recording():
    return simulate_recording(duration_s=4.0, n_channels=4, n_units=1, seed=0)[0]


@pytest.mark.parametrize("place", ["memory", "disk", "none", "auto"])
def test_values_are_multiples_of_the_step(recording, tmp_path, place):
    raw = recording.ephys.bandpass_filter()
    with forbid_compute():
        kept = keep_recording(raw, step=STEP, folder=tmp_path, place=place)
    for _ in range(2):
        np.testing.assert_array_equal(kept.values, np.round(raw.values / STEP).astype("i2") * np.float32(STEP))
    assert kept.dtype == "f4"
    assert kept.attrs["units"] == raw.attrs["units"]
    assert kept.attrs["history"].splitlines()[-1] == "keep_recording(step=0.5)"
    assert kept.x.values.tolist() == raw.x.values.tolist()


@pytest.mark.parametrize("place", ["memory", "disk", "none"])
def test_without_a_step_nothing_is_rounded(recording, tmp_path, place):
    raw = recording.ephys.bandpass_filter()
    kept = keep_recording(raw, step=None, folder=tmp_path, place=place)
    for _ in range(2):
        np.testing.assert_array_equal(kept.values, raw.values)
    own, step = kept_integers(kept)
    assert (own.dtype, step) == ("f4", 1.0)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"place": "memroy"}, "cache is 'memroy'.*did you mean 'memory'"),
        ({"step": 0.0}, "step is 0.0; it must be greater than 0"),
        ({"bytes_max": 0}, "cache_bytes_max is 0; it must be greater than 0"),
    ],
)
def test_bad_input_is_refused(recording, tmp_path, parameters, message):
    with pytest.raises(ParameterError, match=message):
        keep_recording(recording, **{"step": STEP, "folder": tmp_path, **parameters})


@pytest.mark.parametrize("place", ["memory", "none"])
def test_a_kept_recording_is_its_integers_times_the_step(recording, tmp_path, place):
    kept = keep_recording(recording.ephys.bandpass_filter(), step=STEP, folder=tmp_path, place=place)
    with forbid_compute():
        integers, step = kept_integers(kept.isel(time=slice(1000, 90_000)))
    assert (integers.dtype, step) == ("i2", STEP)
    np.testing.assert_array_equal(step * integers.values, kept.isel(time=slice(1000, 90_000)).values)
    assert integers.x.values.tolist() == kept.x.values.tolist()


def test_other_recordings_are_their_own_integers(recording, tmp_path):
    kept = keep_recording(recording, step=STEP, folder=tmp_path)
    for other in (recording, kept.ephys.bandpass_filter(), kept + 1):
        integers, step = kept_integers(other)
        assert integers is other
        assert step == 1


@pytest.mark.parametrize("place", ["memory", "disk", "none"])
def test_traces_of_a_device_are_kept_on_the_host_and_go_back_as_integers(recording, tmp_path, place):
    with device_arrays.installed() as device, device_arrays.counted() as copies:
        moved = recording.ephys.to_device(device).ephys.bandpass_filter()
        kept = keep_recording(moved, step=STEP, folder=tmp_path, place=place)
        assert plan_of(kept.data).device is None
        expected = kept.values
        n_down = len(copies.down)
        assert {dtype for dtype, _ in copies.down} == {"<i2"}
        with forbid_compute():
            there = on_their_device(kept)
        assert plan_of(there.data).device == device
        np.testing.assert_array_equal(there.values, expected)
        assert len(copies.down) == (1 if place != "none" else 2) * n_down + 4  # and four tiles of float32
        assert {dtype for dtype, shape in copies.up if shape[1:] == (4,)} == {"<i2"}


def test_traces_of_the_cpu_stay_there(recording, tmp_path):
    kept = keep_recording(recording, step=STEP, folder=tmp_path)
    assert on_their_device(kept) is kept
    assert on_their_device(recording) is recording
