"""The band of the preset ``default``: lowered to what the sampling rate allows, refused if nothing is left."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from xephys.errors import ParameterError
from xephys.schema import make_recording
from xephys.sorter.default.parameters import DefaultParameters
from xephys.sorter.default.prepare import band_passed, check_default


def recording(rate):
    traces = np.random.default_rng(0).normal(size=(int(2 * rate), 4)).astype("f4")
    places = {"x": np.zeros(4), "y": 20.0 * np.arange(4)}
    return make_recording(traces, sampling_frequency=rate, coordinates=places)


@pytest.mark.parametrize(("rate", "corner"), [(30_000.0, 6000.0), (10_000.0, 4500.0)])
def test_the_upper_corner_is_lowered(rate, corner):
    given = recording(rate)
    expected = xephys.bandpass_filter(given, freq_min_hz=300.0, freq_max_hz=corner, order=5)
    np.testing.assert_array_equal(band_passed(given, DefaultParameters()).values, expected.values)


def test_a_rate_too_low_for_the_band_is_refused(forbid_compute):
    with pytest.raises(ParameterError, match="Nyquist frequency, 250 Hz"):
        check_default(recording(500.0), DefaultParameters())
