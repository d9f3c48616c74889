"""The schema: recordings are made and checked, and operations keep their labels."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from xephys.errors import RecordingError
from xephys.preprocess.filter import bandpass_filter
from xephys.regular_clock import RegularClock
from xephys.schema import make_recording, validate_recording, wrap_like

RATE = 1000.0


def recording(**coordinates):
    return make_recording(np.zeros((300, 2), "i2"), sampling_frequency=RATE, start_s=2.0, coordinates=coordinates)


def test_time_is_a_range_from_the_start():
    made = recording()
    assert isinstance(made.xindexes["time"], RegularClock)
    np.testing.assert_allclose(made.time.values, 2.0 + np.arange(300) / RATE)


def test_a_valid_recording_is_described():
    info = validate_recording(recording())
    assert (info.sampling_frequency, info.n_samples, info.n_channels, info.units) == (RATE, 300, 2, "counts")


def test_no_operation_makes_a_number_for_each_sample_of_a_clock(monkeypatch):
    """A day at 30 kHz has 2.6 billion of them."""
    monkeypatch.setattr(RegularClock, "to_pandas_index", lambda clock: pytest.fail("the times were made"))
    made = recording()
    validate_recording(made)
    validate_recording(made[100:])
    bandpass_filter(made, freq_min_hz=50.0, freq_max_hz=400.0)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda r: r.values, TypeError, "expected a recording .xarray.DataArray., got ndarray"),
        (lambda r: xr.DataTree(), TypeError, "take one of them, such as"),
        (lambda r: r.transpose("channel", "time"), RecordingError, "transpose or rename"),
        (lambda r: r.astype(complex), RecordingError, "traces are complex128"),
        (lambda r: r.assign_attrs(sampling_frequency=0), RecordingError, "'sampling_frequency' is 0"),
        (lambda r: r.assign_attrs(sampling_frequency="fast"), RecordingError, "'sampling_frequency' is 'fast'"),
        (lambda r: r[:0], RecordingError, "0 samples of 2 channels; it is empty"),
    ],
)
def test_anything_but_a_recording_is_refused(change, error, message):
    with pytest.raises(error, match=message):
        validate_recording(change(recording()))


def test_values_on_channels_must_fit():
    with pytest.raises(RecordingError, match=r"coordinate 'x' has shape \(3,\) for 2 channels"):
        recording(x=np.zeros(3))
    with pytest.raises(RecordingError, match="traces are object; a recording holds integers or real numbers"):
        make_recording(np.full((300, 2), None), sampling_frequency=RATE)
    with pytest.raises(RecordingError, match="traces have 1 dimensions"):
        make_recording(np.zeros(5), sampling_frequency=RATE)


def test_an_operation_keeps_the_coordinates_and_extends_the_history():
    made = recording(x=[0, 10]).assign_attrs(history=["first"])
    wrapped = wrap_like(made, np.ones((300, 2), "f4"), step="second", units="uV")
    assert wrapped.attrs["history"] == "first\nsecond"
    assert made.attrs["history"] == ["first"]
    assert (wrapped.attrs["units"], made.attrs["units"]) == ("uV", "counts")
    assert wrapped.x.values.tolist() == [0, 10]
    assert wrapped.dtype == "f4"
