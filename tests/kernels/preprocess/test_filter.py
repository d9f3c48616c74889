"""IIR filters agree with SciPy in float64 on the whole recording."""

import numpy as np
import pytest
from scipy import signal

from xephys.kernels.preprocess.filter import sos_filter, sos_filtfilt, sos_halo

RATE = 30_000
BAND = signal.butter(5, [300, 6000], "bandpass", fs=RATE, output="sos")


def slow_waves_and_noise(seconds, channels, seed=0):
    """10 µV of white noise under 500 µV slow waves and offsets of up to 3000 µV."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * RATE))[:, None] / RATE
    phase = rng.uniform(0, 2 * np.pi, channels)
    slow = 350 * np.sin(2 * np.pi * 2.3 * t + phase) + 150 * np.sin(2 * np.pi * 9.1 * t - phase)
    return slow + rng.uniform(-3000, 3000, channels) + rng.normal(0, 10, (len(t), channels))


def sos_filtfilt_reference(traces, *, before, after, sos):
    """The same filter by SciPy in float64, padded by the length of its memory if the traces allow it."""
    padding = min(sos_halo(sos), len(traces) - 1)
    filtered = signal.sosfiltfilt(sos, traces.astype("float64"), axis=0, padlen=padding)
    return filtered[before : len(traces) - after]


def designs():
    b, a = signal.iirnotch(3000, 30, fs=RATE)
    return {
        "bandpass order 1": signal.butter(1, [300, 6000], "bandpass", fs=RATE, output="sos"),
        "bandpass order 3": signal.butter(3, [300, 6000], "bandpass", fs=RATE, output="sos"),
        "bandpass order 5": BAND,
        "highpass 150": signal.butter(3, 150, "highpass", fs=RATE, output="sos"),
        "lowpass": signal.butter(4, 3000, "lowpass", fs=RATE, output="sos"),
        "bandpass order 10": signal.butter(10, [500, 6000], "bandpass", fs=RATE, output="sos"),
        "elliptic": signal.ellip(4, 0.5, 40, [300, 6000], "bandpass", fs=RATE, output="sos"),
        "chebyshev 2": signal.cheby2(5, 40, 300, "highpass", fs=RATE, output="sos"),
        "bessel": signal.bessel(2, [300, 6000], "bandpass", fs=RATE, output="sos"),
        "notch": signal.tf2sos(b, a),
    }


@pytest.mark.parametrize("name", list(designs()))
def test_zero_phase_equals_whole_recording_in_double_precision(name):
    sos = designs()[name]
    traces = slow_waves_and_noise(1.2, 37)
    halo = sos_halo(sos)
    begin, stop = 12_000, 20_000
    want = sos_filtfilt_reference(traces, before=begin, after=len(traces) - stop, sos=sos)
    part = traces[begin - halo : stop + halo]
    got = sos_filtfilt(part, before=halo, after=halo, sos=sos)
    assert got.dtype == np.float32 and got.shape == want.shape
    assert np.abs(got - want).max() <= 1e-4 * want.std()


@pytest.mark.parametrize("dtype", ["int16", "uint16", "int32", "uint32", "float32", "float64", ">i2", "int64"])
def test_input_dtypes(dtype):
    traces = np.round(slow_waves_and_noise(0.2, 5)).astype("int16")
    halo = sos_halo(BAND)
    want = sos_filtfilt_reference(traces, before=halo, after=halo, sos=BAND)
    shifted = traces.astype("int64") + (32768 if np.dtype(dtype).kind == "u" else 0)
    given = shifted.astype(dtype)
    given.setflags(write=dtype != "float32")  # for Numba each dtype would be two types, which take a second to compile
    before = given.tobytes()
    got = sos_filtfilt(given, before=halo, after=halo, sos=BAND)
    assert given.tobytes() == before
    # SciPy pads at the ends of this short window and ours does not, so they are compared away from the ends.
    assert np.abs(got - want)[halo:-halo].max() <= 1e-4 * want.std()


@pytest.mark.parametrize("channels", [1, 4, 31, 32, 33, 64, 100])
def test_each_channel_is_filtered_alone(channels):
    traces = slow_waves_and_noise(0.1, channels).astype("float32")
    together = sos_filtfilt(traces, before=700, after=300, sos=BAND)
    for channel in {0, channels // 2, channels - 1}:
        alone = sos_filtfilt(traces[:, [channel]], before=700, after=300, sos=BAND)
        np.testing.assert_array_equal(together[:, [channel]], alone)


@pytest.mark.parametrize("rows", [1, 2, 127, 128, 129, 300])
def test_short_traces_and_no_context(rows):
    traces = slow_waves_and_noise(0.1, 3)[:rows]
    got = sos_filtfilt(traces, before=0, after=0, sos=BAND)
    start = signal.sosfilt_zi(BAND)[:, :, None]
    forward, _ = signal.sosfilt(BAND, traces, axis=0, zi=start * traces[0])
    backward, _ = signal.sosfilt(BAND, forward[::-1], axis=0, zi=start * forward[-1])
    np.testing.assert_allclose(got, backward[::-1], rtol=0, atol=1e-4)


@pytest.mark.parametrize(("before", "after"), [(0, 0), (5, 0), (0, 5), (200, 131), (1000, 1999)])
def test_valid_mode_returns_the_middle_rows(before, after):
    traces = slow_waves_and_noise(0.1, 3)
    whole = sos_filtfilt(traces, before=0, after=0, sos=BAND)
    part = sos_filtfilt(traces, before=before, after=after, sos=BAND)
    np.testing.assert_array_equal(part, whole[before : len(whole) - after])


@pytest.mark.parametrize(("before", "after"), [(0, 0), (130, 7), (2999, 0)])
@pytest.mark.parametrize("channels", [3, 40])
def test_causal_filter_equals_scipy(before, after, channels):
    traces = slow_waves_and_noise(0.1, channels)
    start = signal.sosfilt_zi(BAND)[:, :, None] * traces[0]
    want, _ = signal.sosfilt(BAND, traces, axis=0, zi=start)
    got = sos_filter(traces, before=before, after=after, sos=BAND)
    np.testing.assert_allclose(got, want[before : len(want) - after], rtol=0, atol=1e-4)


def test_halo_is_long_enough_and_not_more():
    impulse = np.zeros(4000)
    impulse[0] = 1
    response = np.abs(signal.sosfilt(BAND, impulse))
    halo = sos_halo(BAND)
    assert response[halo:].max() < 1e-5 * response.max() < response[halo // 2 :].max()
    fir = np.array([[1.0, 0.5, 0.25, 1, 0, 0]])
    assert sos_halo(fir) == 2


@pytest.mark.parametrize(
    ("sos", "message"),
    [
        (np.array([[1.0, 0, 0, 1, -2, 1]]), "unstable"),
        (np.array([[0.0, 1, 0, 1, 0, 0]]), "b0 = 0"),
        (np.ones((2, 5)), r"\(section, 6\)"),
        (np.array([[1.0, 0, 0, 2, 0, 0]]), "a0 = 1"),
    ],
)
def test_bad_sections_are_refused(sos, message):
    with pytest.raises(ValueError, match=message):
        sos_filtfilt(np.zeros((10, 2)), before=0, after=0, sos=sos)


def test_bad_context_is_refused():
    with pytest.raises(ValueError, match="do not fit"):
        sos_filtfilt(np.zeros((10, 2)), before=8, after=8, sos=BAND)
    with pytest.raises(ValueError, match="dimensions"):
        sos_filtfilt(np.zeros(10), before=0, after=0, sos=BAND)
    with pytest.raises(ValueError, match="tolerance"):
        sos_halo(BAND, tolerance=0)
