"""Conversion of seconds to samples."""

import numpy as np
import pytest

from xephys.curate.times import samples_at
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
