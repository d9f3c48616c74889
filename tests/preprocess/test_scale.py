"""Conversion of counts to microvolts and back."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from xephys import ParameterError, RecordingError
from xephys.schema import make_recording

COUNTS = np.random.default_rng(0).integers(-3000, 3000, (500, 3)).astype("i2")


def recording(**coordinates):
    return make_recording(COUNTS, sampling_frequency=30_000.0, coordinates=coordinates)


def test_one_factor_per_channel():
    found = xephys.scale(recording(), gain=[1, 2, 0.5], offset=[0, -10, 3])
    np.testing.assert_allclose(found.values, COUNTS * [1, 2, 0.5] + [0, -10, 3], rtol=1e-6)


def test_one_factor_for_all():
    np.testing.assert_array_equal(xephys.scale(recording(), gain=2.0, offset=1.0).values, COUNTS * 2.0 + 1.0)


def test_microvolts_by_the_recordings_own_gains():
    rec = recording(gain_to_uv=[0.1, 0.2, 0.3], offset_to_uv=[5.0, 0.0, -5.0])
    found = xephys.to_uv(rec)
    np.testing.assert_allclose(found.values, COUNTS * [0.1, 0.2, 0.3] + [5, 0, -5], rtol=1e-5, atol=1e-4)
    assert found.attrs["units"] == "uV"
    assert xephys.to_uv(found) is found
    assert rec.attrs["units"] == "counts"


def test_the_name_of_the_unit():
    assert xephys.scale(recording(), gain=2.0, units="uV").attrs["units"] == "uV"
    with pytest.raises(RecordingError, match="the unit of the traces is 'mV'; voltages are in 'uV'"):
        xephys.scale(recording(), gain=2.0, units="mV")
    assert xephys.scale(recording(), gain=2.0).attrs["units"] == "counts"


@pytest.mark.parametrize("gain", [[1, 2], np.nan, [1, np.inf, 1], np.ones((3, 3))])
def test_factors_that_do_not_fit_are_refused(gain):
    with pytest.raises(
        ParameterError, match=r"gain has shape .*; give one finite number, or one for each of 3 channels"
    ):
        xephys.scale(recording(), gain=gain)


def test_a_recording_without_gains_is_refused():
    with pytest.raises(RecordingError, match=r"the channels have no gain.*give gain_to_uv= to open_recording"):
        xephys.to_uv(recording())
