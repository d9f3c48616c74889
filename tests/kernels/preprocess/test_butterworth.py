"""The Butterworth band-pass, against SciPy's design."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import iirfilter, sosfiltfilt, sosfreqz

from xephys.kernels.preprocess.butterworth import butterworth_bandpass


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
