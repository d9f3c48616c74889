"""Fractional delays agree with shifted sines, the Fourier shift and SpikeInterface."""

from importlib import import_module

import numpy as np
import pytest

from xephys.kernels.preprocess.phase_shift import delay_filter, phase_shift, phase_shift_halo

RATE = 30_000
HALO = phase_shift_halo()
SHIFTS = np.tile(np.arange(13) / 13, 2)[:24]


def band_limited(rows, channels, seed=0):
    """Periodic noise between 300 and 6000 Hz with standard deviation 1, for which a Fourier shift is exact."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal((rows, channels)), axis=0)
    frequency = np.fft.rfftfreq(rows, 1 / RATE)
    traces = np.fft.irfft(spectrum * ((frequency > 300) & (frequency < 6000))[:, None], rows, axis=0)
    return traces / traces.std()


@pytest.mark.parametrize("freq_hz", [0, 1, 300, 1000, 3000, 6000, 9000, 12_000])
def test_a_sine_is_delayed_with_an_error_below_1e_4(freq_hz):
    t = np.arange(600)[:, None]
    shifts = np.linspace(-1, 1, 21)
    phase = 0.3
    traces = np.repeat(np.cos(2 * np.pi * freq_hz / RATE * t + phase), 21, axis=1)
    got = phase_shift(traces, before=HALO, after=HALO, shifts=shifts)
    want = np.cos(2 * np.pi * freq_hz / RATE * (t - shifts) + phase)[HALO:-HALO]
    assert np.abs(got - want).max() < 1e-4


@pytest.mark.parametrize("dtype", ["int16", "float32", "float64", ">i2"])
def test_equals_the_fourier_shift(dtype):
    traces = (1000 * band_limited(3000, 24)).astype(dtype)
    angle = -2j * np.pi * np.fft.rfftfreq(3000)[:, None] * SHIFTS
    want = np.fft.irfft(np.fft.rfft(traces.astype("float64"), axis=0) * np.exp(angle), 3000, axis=0)
    got = phase_shift(traces, before=100, after=200, shifts=SHIFTS)
    # Rounding to integers adds noise at all frequencies, even above those that the filter delays.
    limit = 1.5 if "i" in dtype else 1e-4 * 1000
    assert np.abs(got - want[100:-200]).max() < limit


def test_equals_spikeinterface():
    si = import_module("spikeinterface.core")
    preprocessing = import_module("spikeinterface.preprocessing")
    traces = (100 * band_limited(6000, 24)).astype("float32")
    recording = si.NumpyRecording([traces], sampling_frequency=RATE)
    recording.set_property("inter_sample_shift", SHIFTS)
    want = preprocessing.phase_shift(recording).get_traces(start_frame=2000, end_frame=4000)
    got = phase_shift(traces, before=2000, after=2000, shifts=SHIFTS)
    assert np.abs(got - want).max() < 1e-4 * 100


def test_no_shift_and_whole_samples_are_exact():
    traces = np.random.default_rng(0).integers(-3000, 3000, (400, 3)).astype("int16")
    got = phase_shift(traces, before=HALO, after=HALO, shifts=np.array([0.0, 1.0, -1.0]))
    for channel, shift in enumerate((0, 1, -1)):
        want = np.roll(traces[:, channel], shift)[HALO:-HALO]
        np.testing.assert_allclose(got[:, channel], want, rtol=0, atol=1e-3)


@pytest.mark.parametrize("channels", [1, 15, 16, 17, 40])
def test_result_does_not_depend_on_chunks_or_other_channels(channels):
    traces = band_limited(1000, channels).astype("float32")
    shifts = np.linspace(0, 0.9, channels)
    whole = phase_shift(traces, before=HALO, after=HALO, shifts=shifts)
    for length in (1, 7, 130, 500):
        parts = []
        for start in range(0, len(whole), length):
            stop = min(start + length, len(whole))
            parts.append(phase_shift(traces[start : stop + 2 * HALO], before=HALO, after=HALO, shifts=shifts))
        np.testing.assert_array_equal(np.concatenate(parts), whole)
    alone = phase_shift(traces[:, -1:], before=HALO, after=HALO, shifts=shifts[-1:])
    np.testing.assert_array_equal(whole[:, -1:], alone)


def test_offsets_are_kept():
    traces = np.full((100, 5), 20_000, "int16")
    got = phase_shift(traces, before=HALO, after=HALO, shifts=np.linspace(0, 1, 5))
    np.testing.assert_allclose(got, 20_000, rtol=1e-6)
    assert delay_filter(np.linspace(-1, 1, 9)).sum(axis=0) == pytest.approx(np.ones(9), abs=1e-6)


def test_bad_arguments_are_refused():
    traces = np.zeros((100, 2))
    with pytest.raises(ValueError, match="at least 17"):
        phase_shift(traces, before=16, after=17, shifts=np.zeros(2))
    with pytest.raises(ValueError, match="each of 2 channels"):
        phase_shift(traces, before=17, after=17, shifts=np.zeros(3))
    with pytest.raises(ValueError, match="between -1 and 1"):
        phase_shift(traces, before=17, after=17, shifts=np.array([0, 1.5]))
    with pytest.raises(ValueError, match="even"):
        phase_shift_halo(31)
