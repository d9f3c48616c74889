"""Times between samples by the waveforms of each channel are nearer to the truth, lazy, and need ones that fit."""

import numpy as np
import pytest

import xephys
from xephys.errors import SilentRecordingError
from xephys.schema import make_recording
from xephys.testing import forbid_compute

RATE, DURATION_S = 30_000.0, 8.0


@pytest.fixture(scope="module")
def case():
    """Spikes of two shapes at times between samples, in slow noise; the third channel has none."""
    rng = np.random.default_rng(0)
    n = round(DURATION_S * RATE)
    slow = np.exp(-np.arange(30) / 6.0)
    traces = np.stack([np.convolve(noise, slow, "same") for noise in rng.standard_normal((3, n))], axis=1)
    traces /= traces.std(axis=0)
    axis, true = np.arange(-40, 60), []
    for channel in range(2):
        at = np.cumsum(rng.uniform(250, 900, 400))
        at = at[at < n - 200]
        for number, time in enumerate(at):
            late = axis - (time - np.floor(time))
            wide = 5.0 if number % 2 else 8.0
            shape = -np.exp(-((late / wide) ** 2)) + 0.4 * np.exp(-(((late - 3 * wide) / (2 * wide)) ** 2))
            traces[int(time) + axis, channel] += 9 * shape
        true.append(at)
    recording = make_recording(traces.astype(np.float32), sampling_frequency=RATE).chunk(time=30_000)
    levels = xephys.estimate_noise_levels(recording)
    found = xephys.detect_by_network(recording, noise_levels=levels).compute()
    return recording, levels, found, true


@pytest.fixture(scope="module")
def learned(case):
    recording, levels, found, _ = case
    return xephys.learn_peak_waveforms(recording, found, noise_levels=levels, n_waveforms=4)


def error(peaks, true):
    """Median distance from the true times."""
    errors = []
    for channel, times in enumerate(true):
        mine = peaks[peaks["channel_index"] == channel]
        found = mine["sample_index"] + mine["offset"].astype(float)
        at = np.searchsorted(times, found).clip(1, len(times) - 1)
        nearest = np.minimum(np.abs(found - times[at - 1]), np.abs(found - times[at]))
        errors.append(nearest[nearest < 8])
    assert min(map(len, errors)) > 150
    return np.median(np.concatenate(errors))


def test_times_are_nearer_to_the_truth(case, learned):
    recording, _, found, true = case
    refined = xephys.refine_peak_times(recording, found, waveforms=learned).compute()
    assert error(refined, true) < 0.7 * error(found, true)
    kept = [name for name in found.dtype.names if name != "offset"]
    np.testing.assert_array_equal(refined[kept], found[kept])
    assert np.abs(refined["offset"]).max() <= 7


def test_waveforms_are_those_that_were_there(case, learned):
    assert learned["share"].sum("waveform").values[:2] == pytest.approx(1.0)
    assert not learned["share"].values[2].any() and not learned["waveforms"].values[2].any()
    known = learned["share"].values > 0
    assert learned["waveforms"].values[known].min(axis=1) == pytest.approx(-1.0, abs=0.05)
    assert learned["autocovariance"].values[:4] == pytest.approx(np.exp(-np.arange(4) / 6), abs=0.06)


def test_peaks_without_offsets_and_channels_without_waveforms(case, learned):
    recording, levels, found, true = case
    plain = xephys.detect_peaks(recording, noise_levels=levels, detect_threshold=4.0, method="by_channel")
    refined = xephys.refine_peak_times(recording, plain, waveforms=learned).compute()
    assert refined.dtype.names == (*plain.fields, "offset")
    assert not refined["offset"][refined["channel_index"] == 2].any()
    assert error(refined, true) < 0.8 * error(found, true)


def test_signs_do_not_matter(case, learned):
    recording, levels, found, _ = case
    turned = xephys.learn_peak_waveforms(-recording, found, noise_levels=levels.values, n_waveforms=4)
    np.testing.assert_array_equal(turned["waveforms"], learned["waveforms"])
    refined = [xephys.refine_peak_times(one, found, waveforms=learned).compute() for one in (recording, -recording)]
    np.testing.assert_array_equal(refined[0]["offset"], refined[1]["offset"])


def test_nothing_is_computed_and_channels_are_told_by_name(case, learned):
    recording, levels, found, _ = case
    with forbid_compute():
        table = xephys.detect_by_network(recording, noise_levels=levels)
        refined = xephys.refine_peak_times(recording, table, waveforms=learned)
        other = xephys.refine_peak_times(recording, table, waveforms=learned.isel(channel=[1, 0, 2]))
    assert refined.n_chunks == recording.data.numblocks[0] and refined.data.name == other.data.name
    whole = refined.compute()
    np.testing.assert_array_equal(whole, xephys.refine_peak_times(recording, found, waveforms=learned).compute())


def test_what_does_not_fit_is_refused(case, learned):
    recording, levels, found, _ = case
    with pytest.raises(xephys.RecordingError, match=r"channels 2 have no waveforms"):
        xephys.refine_peak_times(recording, found, waveforms=learned.isel(channel=[0, 1]))
    other = learned.assign_attrs(sampling_frequency=20_000.0)
    with pytest.raises(xephys.ParameterError, match=r"learned at 20000 Hz and the recording has 30000 Hz"):
        xephys.refine_peak_times(recording, found, waveforms=other)
    with pytest.raises(xephys.ParameterError, match=r"half_width_ms is 0\.1, which is 3 samples; give at least 0\.3"):
        xephys.learn_peak_waveforms(recording, found, noise_levels=levels, half_width_ms=0.1)
    with pytest.raises(SilentRecordingError, match="no peaks were found"):
        xephys.learn_peak_waveforms(recording, found[:0], noise_levels=levels)
