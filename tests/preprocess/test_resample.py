import numpy as np
import pytest

import xephys
from xephys.errors import ParameterError, RecordingError
from xephys.graph.build import count_tasks
from xephys.testing import forbid_compute, simulate_recording

RATE = 30_000.0


def sines(freq_hz, duration_s=2.0):
    time_s = np.arange(int(duration_s * RATE)) / RATE
    traces = np.sin(2 * np.pi * np.asarray(freq_hz) * time_s[:, None]).astype("f4")
    return xephys.make_recording(traces, sampling_frequency=RATE, start_s=5.0)


@pytest.mark.parametrize("rate", [1000.0, 12_500.0, 60_000.0, 29_999.0])
def test_sines_below_the_new_nyquist_pass_and_others_do_not(rate):
    slow = xephys.resample(sines([200.0, 9_000.0]), sampling_frequency_hz=rate)
    time_s = slow.time.values - 5.0
    middle = slice(int(0.2 * rate), int(1.8 * rate))
    np.testing.assert_allclose(slow.values[middle, 0], np.sin(2 * np.pi * 200 * time_s)[middle], atol=2e-3)
    other = slow.values[middle, 1]
    if rate > 25_000:
        np.testing.assert_allclose(other, np.sin(2 * np.pi * 9000 * time_s)[middle], atol=5e-3)
    else:
        assert abs(other).max() < 5e-3


@pytest.mark.parametrize(
    "change",
    [
        lambda rec: xephys.resample(rec, sampling_frequency_hz=7_000.0),
        lambda rec: xephys.decimate(rec, factor=7),
    ],
)
def test_results_do_not_depend_on_chunks_and_later_steps_work(change):
    recording, _ = simulate_recording(duration_s=5.0, n_channels=4, n_units=1, seed=0)
    with forbid_compute():
        slow = change(xephys.highpass_filter(recording, freq_min_hz=300))
        filtered = xephys.highpass_filter(slow, freq_min_hz=400, order=1)
    assert count_tasks(slow) == count_tasks(filtered) == len(recording.chunks[0])
    again = xephys.highpass_filter(
        change(xephys.highpass_filter(recording.chunk({"time": 9_000}), freq_min_hz=300)), freq_min_hz=400, order=1
    )
    np.testing.assert_array_equal(filtered.values, again.values)
    part = xephys.time_slice(filtered, 1.0, 2.0)
    np.testing.assert_array_equal(part.values, filtered.sel(time=part.time).values)


def test_decimation_is_slicing_with_the_right_rate():
    recording = sines([100.0])
    slow = xephys.decimate(recording, factor=4)
    np.testing.assert_array_equal(slow.values, recording.values[::4])
    np.testing.assert_allclose(slow.time.values, recording.time.values[::4])
    assert slow.attrs["sampling_frequency"] == 7500.0
    assert xephys.bandpass_filter(slow, freq_max_hz=3000).dtype == "float32"


def test_wandering_clocks_are_kept_and_gaps_refused():
    recording = sines([100.0])
    times = recording.time.values + 1e-4 * (recording.time.values - 5.0) ** 2
    wandering = recording.drop_vars("time").assign_coords(time=("time", times))
    slow = xephys.resample(wandering, sampling_frequency_hz=3000.0)
    np.testing.assert_allclose(slow.time.values, times[::10], atol=1e-9)
    times = times + (np.arange(len(times)) > 30_000) * 0.5
    with pytest.raises(RecordingError, match=r"a gap of 0\.5.* s after 6"):
        xephys.resample(recording.drop_vars("time").assign_coords(time=("time", times)), sampling_frequency_hz=3000.0)


def test_delays_between_channels_are_given_in_new_samples():
    recording = sines([100.0, 200.0]).assign_coords(inter_sample_shift=("channel", [0.0, 0.5]))
    assert xephys.decimate(recording, factor=2)["inter_sample_shift"].values.tolist() == [0.0, 0.25]


def test_bad_input_is_refused():
    with pytest.raises(ParameterError, match="sampling_frequency_hz is 0"):
        xephys.resample(sines([1.0]), sampling_frequency_hz=0)
    with pytest.raises(ParameterError, match="the ratio must be at least 1 / 100000"):
        xephys.resample(sines([1.0]), sampling_frequency_hz=0.1)
    with pytest.raises(ParameterError, match=r"factor is 1\.5"):
        xephys.decimate(sines([1.0]), factor=1.5)
