"""What a sorting stores about the place and time of its samples."""

import numpy as np

from xephys.recording.axes import SegmentAxes
from xephys.recording.segments import tree_of
from xephys.schema import make_recording
from xephys.sorting import build_sorting, samples_per_segment, spike_times_s


def recording(start_s=0.0, n_samples=2000):
    return make_recording(
        np.zeros((n_samples, 2), "i2"), sampling_frequency=1000.0, start_s=start_s, coordinates={"x": [0.0, 5.0]}
    )


def test_a_part_and_segments_keep_their_axes():
    axes = SegmentAxes.of(recording(3.0).isel(time=slice(500, 800)))
    assert axes.attributes == {"first_sample": 500, "n_samples": 300, "start_s": 3.0, "clock": "regular"}
    assert axes.times_s(np.array([0]), np.array([600])).tolist() == [3.6]
    assert axes.channels["x"].tolist() == [0.0, 5.0]
    two = SegmentAxes.of(tree_of([recording(1.0), recording(9.0, 700)]))
    assert two.attributes["n_samples"] == [2000, 700]
    assert two.times_s(np.array([0, 1]), np.array([100, 100])).tolist() == [1.1, 9.1]


def test_without_a_recording_a_sorting_is_as_long_as_its_spikes():
    sorting = build_sorting(
        SegmentAxes(sampling_frequency=1000.0),
        spikes={"sample_index": [499, 99], "unit_index": [0, 1]},
        units={"label": ["good", "good"]},
        templates=np.ones((2, 5, 3)),
    )
    assert "n_samples" not in sorting.attrs and samples_per_segment(sorting) == [500]
    assert spike_times_s(sorting).tolist() == [0.099, 0.499]
    assert sorting["units"]["firing_rate"].values.tolist() == [2.0, 2.0]
    assert sorting["templates"]["channel"].values.tolist() == [0, 1, 2]
