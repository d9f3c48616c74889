"""Filters: their gains and their errors. Their accuracy is tested in ``tests/accuracy``."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

import xephys
from xephys import ParameterError, RecordingError
from xephys.graph.build import plan_of
from xephys.preprocess.filter import filter_with_sos
from xephys.schema import make_recording

RATE = 30_000.0


def sines(*frequencies_hz, n_channels=2):
    time = np.arange(60_000) / RATE
    traces = sum(np.sin(2 * np.pi * f * time) for f in frequencies_hz)
    return make_recording(np.repeat(traces[:, None], n_channels, 1).astype("f4"), sampling_frequency=RATE)


def gain_at(filtered, frequency_hz):
    """Amplitude and phase in the middle second of a sine that had amplitude 1 and phase 0."""
    part = filtered.values[15_000:45_000, 0]
    time = np.arange(15_000, 45_000) / RATE
    projected = 2 * np.mean(part * np.exp(-2j * np.pi * frequency_hz * time)) * 1j
    return abs(projected), np.angle(projected)


@pytest.mark.parametrize(("frequency_hz", "gain"), [(50, 0.0), (300, 0.5), (1000, 1.0), (6000, 0.5), (14_000, 0.0)])
def test_bandpass_is_twice_the_design_and_of_zero_phase(frequency_hz, gain):
    found, phase = gain_at(xephys.bandpass_filter(sines(frequency_hz)), frequency_hz)
    assert found == pytest.approx(gain, abs=2e-3)
    if gain:
        assert phase == pytest.approx(0, abs=1e-3)


def test_notch_removes_one_frequency_and_leaves_the_others():
    filtered = xephys.notch_filter(sines(60, 1000), freq_hz=1000.0, quality=20.0)
    assert gain_at(filtered, 1000)[0] < 1e-3
    assert gain_at(filtered, 60)[0] == pytest.approx(1, abs=1e-3)


def test_highpass_removes_offsets():
    recording = sines(1000) + 500.0
    filtered = xephys.highpass_filter(recording.copy(data=recording.values), freq_min_hz=300)
    assert abs(filtered.values[15_000:45_000].mean()) < 1e-3


def test_the_halo_follows_the_corner_and_the_tolerance():
    def halo(**parameters):
        return plan_of(xephys.bandpass_filter(sines(1000), **parameters)).halo[0]

    assert halo(freq_min_hz=100) > 2.5 * halo(freq_min_hz=300)
    assert halo(tolerance=1e-3) < 0.6 * halo(tolerance=1e-6)


@pytest.mark.parametrize("corner", [0, -1, 15_000, 20_000, np.nan, np.inf])
@pytest.mark.parametrize("name", ["freq_min_hz", "freq_max_hz"])
def test_wrong_corners_of_a_bandpass_are_refused(name, corner):
    with pytest.raises(ParameterError, match=rf"{name} is .* Hz; it must lie between 0 and the Nyquist .*15000 Hz"):
        xephys.bandpass_filter(sines(1000), **{name: corner})


@pytest.mark.parametrize("corner", [0, 15_000])
def test_other_wrong_corners_are_refused(corner):
    with pytest.raises(ParameterError, match=r"freq_min_hz .* between 0 and the Nyquist"):
        xephys.highpass_filter(sines(1000), freq_min_hz=corner)
    with pytest.raises(ParameterError, match=r"freq_hz .* between 0 and the Nyquist"):
        xephys.notch_filter(sines(1000), freq_hz=corner)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"freq_min_hz": 3000, "freq_max_hz": 3000}, r"freq_min_hz \(3000\) is not below freq_max_hz \(3000\); swap"),
        ({"order": 0}, "order is 0; it must be at least 1"),
        ({"ftype": "butterwort"}, "no 'butterwort' bandpass of order 5 .* can be designed"),
        ({"ftype": "ellip"}, "no 'ellip' bandpass .* can be designed"),  # rp and rs are missing
        ({"tolerance": 0}, "tolerance is 0; it is a fraction between 0 and 1"),
        ({"tolerance": 1}, "tolerance is 1; it is a fraction between 0 and 1"),
    ],
)
def test_impossible_designs_are_refused(parameters, message):
    with pytest.raises(ParameterError, match=message):
        xephys.bandpass_filter(sines(1000), **parameters)


@pytest.mark.parametrize("name", ["bandpass_filter", "highpass_filter"])
def test_a_misspelled_parameter_is_named(name):
    with pytest.raises(ParameterError, match=f"{name} has no parameter 'freq_mn_hz'; did you mean 'freq_min_hz'"):
        getattr(xephys, name)(sines(1000), freq_mn_hz=300)
    with pytest.raises(ParameterError, match="filter has no parameter 'btpe'; did you mean 'btype'"):
        xephys.filter(sines(1000), freq_hz=300, btpe="highpass")


def test_the_quality_of_a_notch_must_be_positive():
    with pytest.raises(ParameterError, match="quality is 0; it must be greater than 0"):
        xephys.notch_filter(sines(1000), freq_hz=100, quality=0)


def test_an_unstable_filter_is_refused():
    with pytest.raises(ValueError, match="unstable"):
        filter_with_sos(sines(1000), sos=np.array([[1.0, 0, 0, 1.0, -2.1, 1.2]]))


def test_a_recording_too_short_for_the_halo_is_refused():
    with pytest.raises(RecordingError, match=r"200 samples, no more than the halo of \d+ .*use a longer recording"):
        xephys.bandpass_filter(sines(1000).isel(time=slice(0, 200)).copy())


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_one_direction_equals_scipys(direction):
    rng = np.random.default_rng(0)
    traces = np.cumsum(rng.standard_normal((40_000, 2)), axis=0).astype("f4")
    recording = make_recording(traces, sampling_frequency=RATE).chunk({"time": 9_001})
    sos = signal.iirfilter(3, 500.0, btype="highpass", ftype="butter", fs=RATE, output="sos")
    got = xephys.filter(recording, freq_hz=500.0, btype="highpass", order=3, direction=direction).values
    ordered = traces if direction == "forward" else traces[::-1]
    state = signal.sosfilt_zi(sos)[:, :, None] * ordered[0]
    want, _ = signal.sosfilt(sos, ordered.astype("f8"), axis=0, zi=state)
    np.testing.assert_allclose(got, want if direction == "forward" else want[::-1], atol=1e-3)


def test_a_forward_filter_shows_a_pulse_only_after_it_came():
    traces = np.zeros((30_000, 1), "f4")
    traces[15_000] = 100
    recording = make_recording(traces, sampling_frequency=RATE)
    assert (xephys.filter(recording, direction="forward").values[:15_000] == 0).all()
    assert (xephys.filter(recording, direction="backward").values[15_001:] == 0).all()


def test_designs_follow_their_kind():
    assert gain_at(xephys.filter(sines(200), freq_hz=1000.0, btype="lowpass"), 200)[0] == pytest.approx(1, abs=1e-3)
    assert gain_at(xephys.filter(sines(200), freq_hz=(100, 400), btype="bandstop", order=2), 200)[0] < 0.01
    with pytest.raises(ParameterError, match=r"freq_hz is 300; a bandpass needs two frequencies"):
        xephys.filter(sines(200), freq_hz=300)
    with pytest.raises(ParameterError, match=r"freq_hz is \(400, 300\); give the lower frequency first"):
        xephys.filter(sines(200), freq_hz=(400, 300))
    with pytest.raises(ParameterError, match="did you mean 'highpass'"):
        xephys.filter(sines(200), freq_hz=300, btype="hipass")
    with pytest.raises(ParameterError, match="did you mean 'forward'"):
        xephys.filter(sines(200), direction="forwards")
