"""A sorting divided by segments keeps every spike with its sample, time and unit."""

import json

import numpy as np
import pytest

import xephys
from xephys.errors import ParameterError, RecordingError
from xephys.recording.segments import segments_of
from xephys.schema import make_recording

from ..support.sorting_trees import sorting_of

PLACES = {"x": np.zeros(4), "y": 20.0 * np.arange(4)}


def segment(n, start_s=0.0):
    return make_recording(
        np.zeros((n, 4), "i2"), sampling_frequency=1000.0, start_s=start_s, coordinates=PLACES, units="uV"
    )


def spikes_of(tree):
    spikes = tree["spikes"].dataset
    names = ("segment_index", "sample_index", "unit_index", "amplitude", "time")
    return [tuple(row) for row in np.stack([spikes[name].values for name in names], axis=1).tolist()]


def test_a_sorting_of_joined_segments_is_split():
    parts = [segment(300, start_s=5.0), segment(400)[100:], segment(200, start_s=9.0)]
    joined = xephys.concatenate_segments(parts, gap_ms=50)
    whole = sorting_of(joined)
    tree = xephys.split_sorting(whole, joined)
    expected, lost = [], 0
    for _, sample, unit, amplitude, _ in spikes_of(whole):
        for k, (start, n, first, origin) in enumerate(((0, 300, 0, 5.0), (350, 300, 100, 0.0), (700, 200, 0, 9.0))):
            if start <= sample < start + n:
                own = sample - start + first
                expected.append((k, own, unit, amplitude, pytest.approx(origin + own / 1000.0)))
                break
        else:
            lost += 1
    assert spikes_of(tree) == expected and lost > 0
    assert json.loads(tree.attrs["log"])[-1]["spikes_in_gaps"] == lost
    assert (tree.attrs["n_samples"], tree.attrs["first_sample"]) == ([300, 300, 200], [0, 100, 0])
    assert tree["units"]["num_spikes"].values.sum() == len(expected)
    np.testing.assert_allclose(tree["units"]["firing_rate"], tree["units"]["num_spikes"].values / 0.8)
    assert tree["units"]["unit_id"].values.tolist() == whole["units"]["unit_id"].values.tolist()
    theirs = xephys.to_spikeinterface(tree)
    assert theirs.get_num_segments() == 3
    with pytest.raises(ParameterError, match=r"sorting is of \[300\] samples and the joined recording has 900"):
        xephys.split_sorting(sorting_of(parts[0], n_spikes=0), joined)
    with pytest.raises(RecordingError, match="was not joined"):
        xephys.split_sorting(whole, segment(900))


def test_chosen_segments_keep_their_spikes():
    parts = xephys.append_segments([segment(800, start_s=1.0), segment(750)[20:], segment(720, start_s=9.0)])
    whole = sorting_of(parts, n_segments=3)
    for chosen in ([1], [2, 0], [0, 1, 2], 2):
        few = xephys.select_segments(whole, chosen)
        order = np.atleast_1d(chosen).tolist()
        expected = [(order.index(k), *rest) for k, *rest in spikes_of(whole) if k in order]
        assert spikes_of(few) == sorted(expected, key=lambda row: row[:2])
        n = [segments_of(parts)[k].sizes["time"] for k in order]
        assert few.attrs["n_samples"] == (n[0] if len(n) == 1 else n)
        assert few["units"].sizes["unit"] == 3
        assert few["units"]["num_spikes"].values.sum() == len(expected)
        assert xephys.to_spikeinterface(few).get_num_segments() == len(order)
    for wrong in ([3], [0, 0], [], [-1]):
        with pytest.raises(ParameterError, match="give some of 0 to 2, each once"):
            xephys.select_segments(whole, wrong)


def test_segments_joined_again_give_the_same_sorting():
    parts = xephys.append_segments([segment(800, start_s=1.0), segment(750)[20:], segment(720, start_s=9.0)])
    whole = sorting_of(parts, n_segments=3)
    again = xephys.append_sortings([xephys.select_segments(whole, k) for k in range(3)])
    assert spikes_of(again) == spikes_of(whole)
    for name in ("n_samples", "first_sample", "start_s", "clock"):
        assert again.attrs[name] == whole.attrs[name]
    np.testing.assert_array_equal(again["templates"]["templates"], whole["templates"]["templates"])


@pytest.mark.parametrize("first", [0, 100])
def test_a_period_of_a_sorting_equals_the_sorting_of_the_time_slice(first):
    recording = segment(900, start_s=5.0)[first:]
    whole = sorting_of(recording)
    part = xephys.select_period(whole, 5.2, 5.6)
    assert spikes_of(part) == [row for row in spikes_of(whole) if 200 <= row[1] < 600]
    assert (part.attrs["first_sample"], part.attrs["n_samples"], part.attrs["start_s"]) == (200, 400, 5.0)
    counts = np.bincount(part["spikes"]["unit_index"].values, minlength=part["units"].sizes["unit"])
    np.testing.assert_array_equal(part["units"]["num_spikes"].values, counts)
    np.testing.assert_allclose(part["units"]["firing_rate"].values, counts / 0.4)
    np.testing.assert_array_equal(part["templates"]["templates"].values, whole["templates"]["templates"].values)
    assert json.loads(part.attrs["log"])[-1]["step"] == "select_period"
    sliced = recording.ephys.time_slice(5.2, 5.6)
    of_slice = sorting_of(sliced, n_spikes=0)
    assert [part.attrs[name] for name in ("first_sample", "n_samples")] == [
        of_slice.attrs[name] for name in ("first_sample", "n_samples")
    ]
    assert xephys.compare(part, whole).summary["accuracy"] == 1.0
    again = xephys.select_period(part, 5.3, 5.4)
    assert spikes_of(again) == [row for row in spikes_of(whole) if 300 <= row[1] < 400]


@pytest.mark.parametrize(
    ("start_s", "stop_s", "message"),
    [
        (5.5, 5.5, "not a range inside what was sorted, 5 to 5.9 s"),
        (4.0, 5.5, "give start_s < stop_s within it"),
        (200, 600, "within it"),
        (np.nan, 5.5, "within it"),
        ("5.1", 5.5, "start_s"),
    ],
)
def test_a_period_outside_is_refused(start_s, stop_s, message):
    with pytest.raises((ParameterError, TypeError), match=message):
        xephys.select_period(sorting_of(segment(900, start_s=5.0)), start_s, stop_s)


def test_a_period_needs_one_segment_and_a_regular_clock():
    two = sorting_of(xephys.append_segments([segment(900), segment(900)]), n_segments=2)
    with pytest.raises(ParameterError, match="select one first with select_segments"):
        xephys.select_period(two, 0.0, 0.1)
    irregular = sorting_of(segment(900))
    irregular.attrs["clock"] = "times"
    with pytest.raises(ParameterError, match="a time for each sample; sort time_slice"):
        xephys.select_period(irregular, 0.0, 0.1)
