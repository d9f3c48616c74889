"""Valid periods of units on both sides."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from xephys.io.bridge.side import Side
from xephys.io.bridge.unit_periods import give_periods, take_periods

NONE = np.zeros(0, np.int64)


def grid(n_units=3, seed=0):
    """Windows of two segments, of which the first begins at sample 7 of its axis."""
    rng = np.random.default_rng(seed)
    dims = ("unit", "window")
    shares = {name: (dims, rng.random((n_units, 7))) for name in ("false_positives", "false_negatives")}
    return xr.Dataset(
        {**shares, "valid": (dims, rng.random((n_units, 7)) < 0.6)},
        coords={
            "segment": ("window", [0, 0, 0, 0, 1, 1, 1]),
            "start": ("window", [7, 17, 27, 37, 0, 10, 20]),
            "stop": ("window", [17, 27, 37, 40, 10, 20, 25]),
        },
    )


def side(n_units=3):
    return Side(1000.0, np.arange(n_units), np.zeros((n_units, 1), np.int32), 1, NONE)


@pytest.mark.parametrize("seed", range(5))
def test_periods_cover_the_valid_windows_and_come_back(seed):
    node = grid(seed=seed)
    data = give_periods(node, side()).data
    periods = data["valid_unit_periods"]
    for unit in range(3):
        for window in range(7):
            segment, start = int(node["segment"][window]), int(node["start"][window])
            start -= 7 if segment == 0 else 0
            inside = (periods["unit_index"] == unit) & (periods["segment_index"] == segment)
            inside &= (periods["start_sample_index"] <= start) & (start < periods["end_sample_index"])
            assert inside.sum() == int(node["valid"][unit, window])
    touching = [(p["segment_index"], p["unit_index"], p["end_sample_index"]) for p in periods]
    assert not any((p["segment_index"], p["unit_index"], p["start_sample_index"]) in touching for p in periods)
    back = take_periods(SimpleNamespace(data=data), side())
    assert back is not None
    for name in ("valid", "false_positives", "false_negatives"):
        np.testing.assert_array_equal(back[name], node[name])
    assert back["start"].values.tolist() == [0, 10, 20, 30, 0, 10, 20]


def test_their_own_periods_are_taken_as_they_were_computed():
    import spikeinterface as si

    rng = np.random.default_rng(1)
    recording = si.generate_recording(num_channels=4, durations=[60.0], sampling_frequency=10_000.0)
    trains = {k: np.sort(rng.choice(600_000, 3000, replace=False)) for k in range(2)}
    sorting = si.NumpySorting.from_unit_dict([trains], 10_000.0)
    analyzer = si.create_sorting_analyzer(sorting, recording, sparse=False)
    analyzer.compute(["random_spikes", "templates", "amplitude_scalings"])
    analyzer.compute(
        "valid_unit_periods", period_duration_s_absolute=10.0, fp_threshold=0.9, fn_threshold=0.9,
        minimum_valid_period_duration=10.0,
    )  # fmt: skip
    extension = analyzer.get_extension("valid_unit_periods")
    node = take_periods(extension, side(2))
    assert node is not None
    assert node["valid"].values.any()
    again = give_periods(node, side(2)).data
    np.testing.assert_array_equal(again["valid_unit_periods"], extension.data["valid_unit_periods"])
    np.testing.assert_array_equal(again["all_periods"], extension.data["all_periods"])


def test_windows_that_differ_between_units_are_not_taken():
    data = give_periods(grid(), side()).data
    data["all_periods"]["end_sample_index"][0] += 1
    assert take_periods(SimpleNamespace(data=data), side()) is None
    del data["all_periods"]
    assert take_periods(SimpleNamespace(data=data), side()) is None


def test_no_units_and_no_valid_windows_give_empty_tables():
    assert len(give_periods(grid(0), side(0)).data["valid_unit_periods"]) == 0
    node = grid()
    node["valid"] = node["valid"] & False
    assert len(give_periods(node, side()).data["valid_unit_periods"]) == 0
