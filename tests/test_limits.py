"""Numbers outside of what their names allow are refused by every public function, in one sentence."""

from __future__ import annotations

import inspect
import warnings
from inspect import Parameter

import numpy as np
import pytest

import xephys
from xephys.errors import ParameterError, XephysWarning
from xephys.limits import limit_fault
from xephys.schema import make_recording
from xephys.testing import simulate_recording

NAN, INF = float("nan"), float("inf")


@pytest.fixture(scope="module")
def recording():
    return simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)[0]


#: A function, a parameter, a value that it cannot have, and what is said.
ABSURD = [
    ("bandpass_filter", "order", NAN, "give a whole number"),
    ("bandpass_filter", "order", INF, "give a whole number"),
    ("bandpass_filter", "order", 10**9, "it must be at most 32"),
    ("decimate", "factor", 60_001, "the recording has 60000 samples; give less"),
    ("resample", "sampling_frequency_hz", 1.0, "low-pass reaches 10 s .* lasts 2 s; give at least 5 Hz .* 1000"),
    ("resample", "sampling_frequency_hz", 1e9, "give at most 100 times as many"),
    ("common_reference", "inner_radius_um", NAN, "inner_radius_um is nan; give a number"),
    ("common_reference", "inner_radius_um", -1, "it must be at least 0"),
    ("common_reference", "outer_radius_um", INF, "give a finite number"),
    ("common_reference", "n_neighbors_min", -1, "it must be at least 0"),
    ("detect_bad_channels", "n_slices", 0, "it must be greater than 0"),
    ("detect_bad_channels", "dead_threshold", NAN, "give a number"),
    ("fill_silence", "silence_ms", 1e9, "the recording lasts 2000 ms, and it must not be longer"),
    ("highpass_spatial_filter", "gain_floor", NAN, "give a number"),
    ("silence_periods", "periods_s", "nope", "periods_s is 'nope'; give numbers"),
    ("remove_artifacts", "trigger_times_s", ["1 s"], "give numbers"),
    ("remove_artifacts", "trigger_times_s", [0.5, None], "give numbers"),
    ("silence_periods", "periods_s", {0.5: 0.6}, "give numbers"),
    ("scale", "gain", {0: 2.0}, "gain is {0: 2.0}; give numbers"),
    ("scale", "gain", ["two"], "give numbers"),
    ("time_slice", "start_s", INF, "start_s is inf; give start_s < stop_s within the recording"),
    ("time_slice", "start_s", NAN, "give start_s < stop_s within the recording"),
    ("time_slice", "stop_s", -INF, "give start_s < stop_s within the recording"),
    ("estimate_matched_filter", "depths_um", 5.0, "give a list of depths"),
    ("gaussian_filter", "freq_max_hz", 1e-9, "is not below freq_max_hz"),
    ("highpass_spatial_filter", "freq_min", 1e-9, "below 0.0001 nothing would be removed"),
    ("detect_bad_channels", "n_slices", 10**8, "at most 100000"),
    ("detect_bad_channels", "slice_duration_s", 1e-9, "slice_duration_s is 1e-09; it must be at least 0.01"),
    ("sample_traces", "slice_duration_s", 0.009, "it must be at least 0.01"),
]


@pytest.mark.parametrize(("name", "most"), [("template_sizes", 20), ("nearest_templates", 20_000)])
def test_grids_of_universal_templates_have_a_limit(recording, name, most):
    shapes = xephys.standard_shapes(sampling_frequency=30_000.0)
    with pytest.raises(ParameterError, match=f"{name} is {most + 1}; it must be at most {most}"):
        xephys.universal_templates(recording, shapes=shapes, **{name: most + 1})


@pytest.mark.parametrize(("function", "parameter", "value", "sentence"), ABSURD)
def test_absurd_numbers_are_refused(recording, function, parameter, value, sentence):
    with warnings.catch_warnings(), pytest.raises(ParameterError, match=sentence) as caught:
        warnings.simplefilter("error", RuntimeWarning)
        getattr(xephys, function)(recording, **{parameter: value})
    assert parameter in str(caught.value)


def test_no_filter_reaches_beyond_the_recording(recording):
    with pytest.raises(ParameterError, match=r"at a corner of 1e-09 Hz .* lasts 2 s; give at least 0\.397"):
        xephys.gaussian_filter(recording, freq_min_hz=1e-9)
    xephys.gaussian_filter(recording, freq_min_hz=0.4)


def test_the_smallest_corner_over_depth_is_computed(recording):
    assert np.isfinite(xephys.highpass_spatial_filter(recording, freq_min=1e-4)[:500].values).all()


def test_no_window_is_longer_than_the_recording(recording):
    spikes = np.array([(3000, 0)], [("sample_index", "i8"), ("unit_index", "i8")])
    for name in ("ms_before", "ms_after"):
        with pytest.raises(ParameterError, match=f"{name} is 2001; the recording lasts 2000 ms"):
            xephys.estimate_templates(recording, spikes, peak_channels=[0], **{name: 2001})


def test_times_that_are_not_in_the_recording_are_said(recording):
    with pytest.warns(XephysWarning, match="none of the 2 periods_s .*the first is at 5 s"):
        silenced = xephys.silence_periods(recording, periods_s=[(5, 6), (-2, -1)])
    np.testing.assert_array_equal(silenced.values, recording.values.astype("f4"))
    with pytest.warns(XephysWarning, match="none of the 1 trigger_times_s"):
        xephys.remove_artifacts(recording, trigger_times_s=[1000.0])
    part = recording.isel(time=slice(0, 30_000))  # its periods may be those of the whole
    xephys.silence_periods(part, periods_s=[(1.5, 1.6)])
    xephys.silence_periods(recording, periods_s=[])


def test_whole_numbers_given_as_floats_are_whole_numbers(recording):
    filtered = xephys.bandpass_filter(recording, order=3.0)
    np.testing.assert_array_equal(filtered[:500].values, xephys.bandpass_filter(recording, order=3)[:500].values)


@pytest.mark.parametrize("module", [xephys, xephys.plot, xephys.curate, xephys.comparison])
def test_no_default_breaks_a_limit(module):
    short = make_recording(np.zeros((3, 2)), sampling_frequency=30_000.0)
    for name in module.__all__:
        function = getattr(module, name)
        if inspect.isfunction(function):
            for parameter in inspect.signature(function).parameters.values():
                if parameter.default is not Parameter.empty:
                    assert limit_fault(parameter, parameter.default, short) is None, (name, parameter)


def test_a_cut_may_be_shorter_than_a_window(recording):
    cut = recording.isel(time=slice(0, 1))
    silence = Parameter("silence_ms", Parameter.KEYWORD_ONLY, annotation="float")
    assert limit_fault(silence, 2.0, cut) is None
    assert "must not be longer" in (limit_fault(silence, 1001.0, cut) or "")
    assert xephys.fill_silence(cut, silence_ms=2.0).shape == cut.shape
