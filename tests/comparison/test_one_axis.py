"""Sortings of parts of a recording are compared on one axis of samples, over the time that both cover."""

import numpy as np
import pytest
from spikeinterface import NumpySorting

import xephys
from xephys.errors import RecordingError
from xephys.schema import make_recording
from xephys.sorting import build_sorting

RATE = 1000.0
TRAINS = np.arange(100, 20_000, 130), np.arange(111, 20_000, 170)


def recording(start_s=6.29):
    return make_recording(np.zeros((20_000, 2), "i2"), sampling_frequency=RATE, start_s=start_s).chunk({"time": 5000})


def sorting_of(part, trains=TRAINS):
    """The output of a perfect sorter for a part of the recording."""
    from xephys.recording.clock import first_sample

    first = first_sample(part)
    samples = np.concatenate(trains)
    units = np.repeat(np.arange(len(trains)), [len(train) for train in trains])
    inside = (samples >= first) & (samples < first + part.sizes["time"])
    return build_sorting(
        part, spikes={"sample_index": samples[inside], "unit_index": units[inside]}, units={"label": ["good"] * 2}
    )


@pytest.mark.parametrize(
    "part_of",
    [
        lambda whole: whole.isel(time=slice(4000, 9000)),
        lambda whole: 2 * whole.isel(time=slice(4000, 9000)),
        lambda whole: whole.isel(time=slice(4000, 9000)).assign_attrs(segment_start_s=10.29),  # starts at its own zero
    ],
)
def test_a_part_is_compared_with_the_whole_in_either_order(part_of):
    whole = sorting_of(recording())
    part = sorting_of(recording().isel(time=slice(4000, 9000)))
    again = part_of(recording())
    if again.attrs["segment_start_s"] != 6.29:
        part = build_sorting(
            again.compute(),
            spikes={
                "sample_index": part["spikes"]["sample_index"].values - 4000,
                "unit_index": part["spikes"]["unit_index"].values,
            },
            units={"label": ["good"] * 2},
        )
        assert part.attrs["first_sample"] == 0 and part.attrs["start_s"] == 10.29
    else:
        part = sorting_of(again)
    n = part["units"]["num_spikes"].values
    assert n.tolist() == [np.sum((t >= 4000) & (t < 9000)) for t in TRAINS]
    for found in (xephys.compare(part, whole), xephys.compare(whole, part)):
        assert found.summary["accuracy"] == 1.0
        assert found.units["num_truth"].values.tolist() == n.tolist()


def test_parts_with_little_or_no_overlap():
    first, second = (sorting_of(recording().isel(time=slice(a, b))) for a, b in ((0, 9000), (6000, 15_000)))
    assert xephys.compare(first, second).summary["accuracy"] == 1.0
    late = sorting_of(recording().isel(time=slice(15_000, None)))
    with pytest.raises(RecordingError, match=r"no time in common in segment 0: one begins 15 s after"):
        xephys.compare(first, late)


def test_spikes_at_another_time_do_not_agree():
    part = sorting_of(recording().isel(time=slice(4000, 9000)))
    moved = sorting_of(recording(start_s=6.33).isel(time=slice(4000, 9000)))
    assert xephys.compare(moved, part).summary["accuracy"] == 0.0


def test_a_sorting_without_a_clock_needs_its_recording_if_the_other_is_a_part():
    whole, part = sorting_of(recording()), sorting_of(recording().isel(time=slice(4000, 9000)))
    theirs = NumpySorting.from_samples_and_labels(
        [np.concatenate(TRAINS)], [np.repeat([0, 1], [len(t) for t in TRAINS])], RATE
    )
    assert xephys.compare(whole, theirs).summary["accuracy"] == 1.0
    with pytest.raises(RecordingError, match="a part that begins at sample 4000 of segment 0"):
        xephys.compare(part, theirs)
    theirs.register_recording(xephys.to_spikeinterface(recording()))
    assert xephys.compare(part, theirs).summary["accuracy"] == 1.0


def test_the_bridge_keeps_the_time_of_each_spike():
    part = sorting_of(recording().isel(time=slice(4000, 9000)))
    theirs = xephys.to_spikeinterface(part)
    times = np.sort(np.concatenate([theirs.get_unit_spike_train(unit, return_times=True) for unit in theirs.unit_ids]))
    np.testing.assert_allclose(times, np.sort(part["spikes"]["time"].values), atol=1e-9)
    assert theirs.to_spike_vector()["sample_index"].max() < 5000
    back = xephys.from_spikeinterface(theirs)
    assert xephys.compare(back, part).summary["accuracy"] == 1.0
