"""Conversion of seconds to samples."""

import numpy as np
import pytest

from xephys.curate.times import one_of, samples_at, with_samples
from xephys.errors import ParameterError
from xephys.recording.axes import SegmentAxes
from xephys.schema import make_recording


def test_samples_of_times_invert_times_of_samples():
    rec = make_recording(np.zeros((5000, 1), "i2"), sampling_frequency=30_000.0, start_s=1234.56789)
    axes = SegmentAxes.of(rec.isel(time=slice(1000, None)))
    samples = np.arange(1000, 5000)
    assert samples_at(axes, axes.times_s(np.zeros(4000, int), samples)).tolist() == samples.tolist()


def test_the_nearest_irregular_sample_is_chosen():
    clock = np.array([0.0, 0.1, 0.5, 0.6])
    rec = make_recording(np.zeros((4, 1), "i2"), sampling_frequency=10.0)
    axes = SegmentAxes.of(rec.drop_vars("time").assign_coords(time=("time", clock)))
    assert samples_at(axes, np.array([-1.0, 0.04, 0.06, 0.29, 0.31, 9.0])).tolist() == [0, 0, 1, 1, 2, 3]


def test_bad_input_is_refused():
    axes = SegmentAxes(sampling_frequency=10.0)
    with pytest.raises(ParameterError, match="not finite"):
        samples_at(axes, np.array([np.inf]))
    with pytest.raises(ParameterError, match="segment_index runs from 0 to 1 of 1 segments"):
        samples_at(axes, np.array([1.0, 1.0]), [0, 1])


def test_samples_come_from_one_source_and_are_whole():
    one_of(spikes=None, times_s=[1.0])
    for given, said in ({}, "no spikes are given"), ({"spikes": 1, "times_s": 2}, "spikes and times_s are given"):
        with pytest.raises(ParameterError, match=f"{said}; give one of spikes, sample_index and times_s"):
            one_of(**{"spikes": None, "sample_index": None, "times_s": None, **given})
    axes = SegmentAxes(sampling_frequency=100.0)
    nothing = {"sample_index": None, "times_s": None, "segment_index": None}
    found = with_samples({"unit_index": [1]}, axes, **nothing | {"times_s": [0.5], "segment_index": [0.0]})
    assert found["sample_index"].tolist() == [50] and found["segment_index"].dtype == np.int64
    with pytest.raises(ParameterError, match=r"sample_index holds 2\.5; give whole numbers, or times_s"):
        with_samples({"sample_index": [2.5]}, axes, **nothing)
    with pytest.raises(ParameterError, match="no sample_index; they have unit_index"):
        with_samples({"unit_index": [1]}, axes, **nothing)
