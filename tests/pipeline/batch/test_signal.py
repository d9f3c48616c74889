"""Recordings that no sorter can use are told before they are sorted."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from xephys.errors import RecordingError
from xephys.pipeline.batch.signal import check_finite, check_signal
from xephys.pipeline.classified import NoGoodChannelsError, SaturatedSignalError
from xephys.recording.slicing import sample_slice
from xephys.schema import make_recording


def recording_of(n_flat: int, n_railed: int, n_good: int) -> xr.DataArray:
    rng = np.random.default_rng(0)
    n = 60_000
    flat, good = np.full((n, n_flat), 7), rng.normal(0, 50, (n, n_good))
    railed = np.clip(rng.normal(0, 2000, (n, n_railed)), -1000, 1000)
    traces = np.concatenate([flat, railed, good], axis=1).round().astype(np.int16)
    return make_recording(traces, sampling_frequency=30_000.0)


def test_constant_channels() -> None:
    with pytest.raises(NoGoodChannelsError) as raised:
        check_signal(recording_of(3, 0, 0), sorter="default")
    assert raised.value.attributes == {"sorter": "default", "total_channels": 3, "bad_channels": 3, "log_path": None}
    check_signal(recording_of(3, 0, 1), sorter="default")


def test_saturated_channels() -> None:
    with pytest.raises(SaturatedSignalError) as raised:
        check_signal(recording_of(1, 3, 2), sorter="default")
    assert (raised.value.channels_saturated, raised.value.total_channels) == (3, 6)
    check_signal(recording_of(1, 2, 2), sorter="default")


def test_noise_of_a_few_counts_is_not_saturated() -> None:
    traces = np.random.default_rng(1).normal(0, 3, (60_000, 4)).round().astype(np.int16)
    check_signal(make_recording(traces, sampling_frequency=30_000.0), sorter="default")


def test_samples_that_are_no_numbers() -> None:
    traces = np.zeros((300, 4), np.float32)
    traces[[17, 200], 2] = np.nan, np.inf
    recording = make_recording(traces, sampling_frequency=30_000.0).chunk({"time": 100})
    check_finite(recording.isel(time=slice(20, 150)))
    with pytest.raises(RecordingError, match="sample 17 is NaN or infinite on 1 channels"):
        check_finite(recording)
    with pytest.raises(RecordingError, match="sample 200 is"):
        check_finite(sample_slice(recording, 100, 300))
