import numpy as np
import pytest

import xephys
from xephys.errors import ParameterError
from xephys.testing import simulate_recording


@pytest.fixture(scope="module")
def recording():
    return simulate_recording(duration_s=2, n_channels=4, n_units=1, seed=0)[0]


def test_times_follow_the_clock_in_a_part_too(recording):
    shifted = xephys.make_recording(recording.values, sampling_frequency=30_000.0, start_s=6.29)
    part = xephys.time_slice(shifted.chunk({"time": 7000}), 6.79, 7.79)
    silenced = xephys.silence_periods(part, periods_s=[(6.99, 7.0)])
    gone = (silenced.values == 0).all(axis=1)
    np.testing.assert_array_equal(np.flatnonzero(gone), np.arange(6000, 6300))
    again = xephys.remove_artifacts(2 * part, trigger_times_s=[7.0], ms_before=10, ms_after=0)
    np.testing.assert_array_equal(np.flatnonzero((again.values == 0).all(axis=1)), np.arange(6000, 6301))


def test_noise_in_place_of_zeros(recording):
    levels = xephys.estimate_noise_levels(recording)
    filled = xephys.silence_periods(recording, periods_s=[(0.5, 1.5)], noise_levels=levels)
    np.testing.assert_allclose(filled.values[15_000:45_000].std(axis=0), levels, rtol=0.05)
    np.testing.assert_array_equal(filled.values[:15_000], recording.values[:15_000])


@pytest.mark.parametrize(("mode", "limit"), [("zeros", 1.01), ("linear", 0.06), ("cubic", 0.1)])
def test_a_stimulus_on_a_slow_wave_is_bridged(mode, limit):
    time_s = np.arange(30_000) / 30_000
    wave = 100 * np.sin(2 * np.pi * 4 * time_s)[:, None] * [1, -1]
    stimulated = wave.copy()
    stimulated[9_990:10_080] += 5_000
    traces = xephys.make_recording(stimulated.astype("f4"), sampling_frequency=30_000.0)
    clean = xephys.remove_artifacts(traces, trigger_times_s=[1 / 3], mode=mode)
    assert abs(clean.values - wave).max() / 100 < limit
    changed = (clean.values != stimulated.astype("f4")).any(axis=1)
    assert set(np.flatnonzero(changed)) <= set(range(9_985, 10_091))


def test_bad_input_is_refused(recording):
    with pytest.raises(ParameterError, match=r"period 1 lasts from 2 to 1 s; give finite times"):
        xephys.silence_periods(recording, periods_s=[(0, 1), (2, 1)])
    with pytest.raises(ParameterError, match=r"periods_s has shape \(3,\); give pairs"):
        xephys.silence_periods(recording, periods_s=[0, 1, 2])
    with pytest.raises(ParameterError, match="ms_before is -1 and ms_after 0; together they must not be negative"):
        xephys.remove_artifacts(recording, trigger_times_s=[1], ms_before=-1, ms_after=0)
    with pytest.raises(ParameterError, match="did you mean 'cubic'"):
        xephys.remove_artifacts(recording, trigger_times_s=[1], mode="cubick")
    with pytest.raises(ParameterError, match="trigger 0 is nan s; drop it"):
        xephys.remove_artifacts(recording, trigger_times_s=[np.nan])


def test_no_period_changes_nothing(recording):
    np.testing.assert_array_equal(xephys.silence_periods(recording, periods_s=[]).values, recording.values)
