"""The Butterworth band-pass and high-pass, against SciPy's design."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import iirfilter, sosfiltfilt, sosfreqz

from xephys.kernels.preprocess.butterworth import butterworth_bandpass, butterworth_highpass


@pytest.mark.parametrize("order", range(1, 11))
@pytest.mark.parametrize("corners", [(300.0, 6000.0), (300.0, 13_500.0), (500.0, 600.0), (1.0, 14_999.0)])
def test_the_response_is_that_of_scipy(order, corners):
    rate = 30_000.0
    sos = butterworth_bandpass(order, *corners, sampling_frequency=rate)
    reference = iirfilter(order, corners, btype="bandpass", ftype="butter", fs=rate, output="sos")
    frequencies = np.geomspace(10.0, 14_990.0, 300)
    mine, theirs = (sosfreqz(sections, frequencies, fs=rate)[1] for sections in (sos, reference))
    assert sos.shape == reference.shape
    np.testing.assert_allclose(mine, theirs, rtol=1e-6, atol=1e-9)


def test_traces_are_filtered_alike():
    rate, traces = 30_000.0, np.random.default_rng(0).standard_normal(6000)
    sos = butterworth_bandpass(5, 300.0, 6000.0, sampling_frequency=rate)
    reference = iirfilter(5, (300.0, 6000.0), btype="bandpass", ftype="butter", fs=rate, output="sos")
    np.testing.assert_allclose(sosfiltfilt(sos, traces), sosfiltfilt(reference, traces), rtol=0, atol=1e-11)


def test_poles_nearest_to_the_unit_circle_come_last_and_all_are_inside():
    sos = butterworth_bandpass(5, 300.0, 6000.0, sampling_frequency=30_000.0)
    radii = [np.abs(np.roots(section[3:])).max() for section in sos]
    assert radii == sorted(radii)
    assert radii[-1] < 1


@pytest.mark.parametrize("order", range(1, 11))
@pytest.mark.parametrize("rate", [8_000.0, 20_000.0, 24_414.0625, 30_000.0, 32_000.0, 50_000.0])
def test_the_high_pass_is_that_of_scipy_to_the_last_bit(order, rate):
    for corner in (0.5, 1.0, 10.0, 55.0, 150.0, 300.0, 333.3, 500.0, rate / 16):
        sos = butterworth_highpass(order, corner, sampling_frequency=rate)
        reference = iirfilter(order, corner, btype="highpass", ftype="butter", fs=rate, output="sos")
        np.testing.assert_array_equal(sos, reference, err_msg=f"{corner} Hz")


def test_a_high_corner_is_refused():
    with pytest.raises(ValueError, match="a sixteenth of 30000 Hz"):
        butterworth_highpass(3, 1900.0, sampling_frequency=30_000.0)
