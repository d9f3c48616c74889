"""Silent stretches: estimates use live samples, and filters meet no step."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import xephys
from xephys.errors import ParameterError
from xephys.preprocess.silence import find_silence
from xephys.recording.excerpts import sample_traces, share_of_silence
from xephys.schema import make_recording
from xephys.testing import assert_chunk_invariant, forbid_compute, simulate_recording

RATE = 30_000.0


def recording(share, channels=slice(None), value=0, seconds=8):
    """Noise of 10 counts around an offset of 500; a share of every tenth of a second is silent on some channels."""
    rng = np.random.default_rng(4)
    traces = np.round(rng.normal(500, 10, (round(seconds * RATE), 8))).astype(np.int16)
    for start in range(0, len(traces), 3000):
        traces[start : start + round(share * 3000), channels] = value
    places = {"x": np.zeros(8), "y": 20.0 * np.arange(8)}
    return make_recording(traces, sampling_frequency=RATE, coordinates=places)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("channels", [slice(None), slice(2, 5)], ids=["all", "some"])
@pytest.mark.parametrize("value", [0, 32767], ids=["zeros", "rail"])
def test_noise_is_estimated_from_live_samples(share, channels, value):
    silent = recording(share, channels, value)
    assert share_of_silence(silent) == pytest.approx(share, abs=0.02 if share else 0.0)
    np.testing.assert_allclose(xephys.estimate_noise_levels(silent), 10, rtol=0.05)
    filtered = silent.ephys.fill_silence().ephys.bandpass_filter(freq_min_hz=300)
    expected = xephys.estimate_noise_levels(recording(0.0).ephys.bandpass_filter(freq_min_hz=300))
    np.testing.assert_allclose(xephys.estimate_noise_levels(filtered), expected, rtol=0.05)


def test_excerpts_of_a_live_recording_are_unchanged():
    live = recording(0.0)
    parts = sample_traces(live, n_slices=4)
    assert [part.shape for part in parts] == [(15_000, 8)] * 4


def test_excerpts_of_a_silent_recording_are_unchanged():
    nothing = make_recording(np.zeros((60_000, 4), np.int16), sampling_frequency=RATE)
    assert all((part == 0).all() and len(part) for part in sample_traces(nothing, n_slices=2))


def test_the_filter_meets_no_step():
    silent = recording(0.5)
    plain = silent.ephys.bandpass_filter(freq_min_hz=300)
    filled = silent.ephys.fill_silence().ephys.bandpass_filter(freq_min_hz=300)
    assert np.abs(plain.values).max() > 150
    assert np.abs(filled.values).max() < 60


def test_results_do_not_depend_on_chunks_and_building_computes_nothing():
    """The recording's coarse steps make short runs of equal counts, some of which are silence and some not."""
    simulated, _ = simulate_recording(duration_s=3, n_channels=8, n_units=2, seed=0, gain_uv=20.0)
    with forbid_compute():
        filled = xephys.fill_silence(simulated, silence_ms=0.2)
    assert xephys.describe(filled).tasks_per_chunk == 1
    assert (filled.values != simulated.values).any()
    fill = partial(xephys.fill_silence, silence_ms=0.2)
    assert_chunk_invariant(fill, simulated, chunk_samples=[7_001, 30_000])


def test_wrong_lengths_are_refused():
    with pytest.raises(ParameterError, match="silence_ms is 0; it must be greater than 0"):
        xephys.fill_silence(recording(0.0), silence_ms=0)


def test_silence_is_found_lazily_and_parts_agree_with_the_whole():
    silent = recording(0.3, slice(2, 5), seconds=2)
    with forbid_compute():
        tables = [find_silence(silent.chunk(time=size)) for size in (7000, 60_000)]
    found = []
    for table in tables:
        mask = np.zeros(silent.shape, bool)
        for run in table.compute():
            mask[run["sample_index"] : run["sample_index"] + run["num_samples"], run["channel_index"]] = True
        found.append(mask)
    assert np.array_equal(found[0], found[1])
    inside = slice(1, -1)  # runs at the ends of a part continue beyond it
    assert np.array_equal(found[0][inside, 2:5], np.tile(silent.values[inside, 2:3] == 0, 3))
    assert not found[0][inside][:, [0, 1, 5, 6, 7]].any()
    with pytest.raises(ParameterError, match="silence_ms"):
        find_silence(silent, silence_ms=0)
