"""Fractional delays are undone: sines are in phase again, and values equal SpikeInterface's away from the ends."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from xephys import ParameterError, RecordingError
from xephys.schema import make_recording

RATE = 30_000.0
SHIFTS = np.array([0.0, 0.25, 0.5, 0.9])


def sampled(frequency_hz):
    """One sine that each channel samples later than the first by its shift."""
    time = (np.arange(30_000)[:, None] + SHIFTS) / RATE
    traces = (1000 * np.sin(2 * np.pi * frequency_hz * time)).astype("f4")
    return make_recording(traces, sampling_frequency=RATE, coordinates={"inter_sample_shift": SHIFTS})


@pytest.mark.parametrize("frequency_hz", [100.0, 1000.0, 5000.0, 9000.0])
def test_sines_are_in_phase_again(frequency_hz):
    recording = sampled(frequency_hz)
    aligned = xephys.phase_shift(recording)
    inside = aligned.values[1000:-1000]
    apart = np.abs(recording.values[1000:-1000, 1:] - recording.values[1000:-1000, :1]).max()
    assert np.abs(inside[:, 1:] - inside[:, :1]).max() < 2.0  # 0.2 % of the amplitude
    assert apart > 2 * np.pi * frequency_hz / RATE * 0.2 * 1000
    assert not aligned["inter_sample_shift"].values.any()


def test_values_equal_spikeinterfaces():
    import spikeinterface.core as si
    import spikeinterface.preprocessing as sp

    rng = np.random.default_rng(0)
    from scipy.signal import butter, sosfiltfilt

    smooth = sosfiltfilt(butter(4, 6000, fs=RATE, output="sos"), rng.normal(0, 300, (30_000, 4)), axis=0)
    traces = smooth.astype("f4")
    peer = si.NumpyRecording([traces], RATE)
    theirs = sp.phase_shift(peer, inter_sample_shift=SHIFTS, dtype="float32", margin_ms=100.0).get_traces()
    ours = xephys.phase_shift(make_recording(traces, sampling_frequency=RATE), inter_sample_shift=SHIFTS).values
    inside = slice(3000, -3000)
    assert np.sqrt(np.mean((ours[inside] - theirs[inside]) ** 2)) < 2e-3 * traces.std()


def test_bad_input_is_refused():
    bare = make_recording(np.zeros((2000, 2), "f4"), sampling_frequency=RATE)
    with pytest.raises(RecordingError, match="no inter_sample_shift; give one value per channel"):
        xephys.phase_shift(bare)
    for wrong in ([0.5], [0.5, 1.0], [np.nan, 0.0]):
        with pytest.raises(ParameterError, match="give one value below 1 for each of 2 channels"):
            xephys.phase_shift(bare, inter_sample_shift=wrong)
