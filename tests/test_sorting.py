"""The tree of a sorting: its parts, their types, and parts that do not fit."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xephys
from tests.support.labelled import make_labelled, make_samples
from tests.support.sorting_trees import sorting_of
from xephys.errors import ParameterError
from xephys.sorting import build_sorting, validate_sorting


@pytest.fixture
def recording() -> xr.DataArray:
    return make_labelled(make_samples())


@pytest.fixture
def sorting(recording: xr.DataArray) -> xr.DataTree:
    return sorting_of(recording)


def test_tree(recording: xr.DataArray, sorting: xr.DataTree) -> None:
    spikes, units = sorting["spikes"].dataset, sorting["units"].dataset
    assert np.all(np.diff(spikes["sample_index"].values) >= 0)
    types = {
        name: spikes[name].dtype.str for name in ("sample_index", "unit_index", "amplitude", "scale", "segment_index")
    }
    assert types == {
        "sample_index": "<i8",
        "unit_index": "<i8",
        "amplitude": "<f4",
        "scale": "<f4",
        "segment_index": "<i8",
    }
    np.testing.assert_array_equal(units["num_spikes"].values, np.bincount(spikes["unit_index"].values, minlength=3))
    np.testing.assert_allclose(units["firing_rate"].values, units["num_spikes"].values / 7.001)
    assert units["unit_id"].values.tolist() == [7, 17, 27]
    assert sorting["templates"].dataset["x"].values.tolist() == recording.x.values.tolist()
    assert sorting["templates"]["templates"].attrs["nbefore"] == 4
    assert sorting.attrs["n_samples"] == 7001
    assert json.loads(sorting.attrs["parameters"]) == {"freq_min_hz": 300.0, "seed": 3, "offsets": [0, 1, 2]}
    assert json.loads(sorting.attrs["log"]) == [{"merged": [1, 2]}]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"spikes": {"sample_index": [7001], "unit_index": [0]}},
            r"1 spikes lie outside the recording, .*7001 of 7001",
        ),
        ({"spikes": {"sample_index": [-1], "unit_index": [0]}}, "outside the recording"),
        ({"spikes": {"sample_index": [1], "unit_index": [1]}}, "units 1 to 1 of 1"),
        (
            {"spikes": {"sample_index": [1], "unit_index": [0], "segment_index": [1]}},
            "segments 1 to 1, and the recording has 1",
        ),
        ({"spikes": {"sample_index": [1]}}, "no unit_index"),
        ({"spikes": {"sample_index": [1], "unit_index": [0], "x": [1, 2]}}, "'x' has 2 values for 1 spikes"),
        ({"units": {"label": ["good"], "snr": [1, 2]}}, "'snr' has 2 values for 1 units"),
        ({"unit_ids": [1, 2]}, "2 unit_ids"),
    ],
)
def test_parts_that_do_not_fit(recording: xr.DataArray, change: dict, message: str) -> None:
    parts: dict[str, Any] = {"spikes": {"sample_index": [1], "unit_index": [0]}, "units": {"label": ["good"]}}
    with pytest.raises(ParameterError, match=message):
        build_sorting(recording, **{**parts, **change})


def _moved(tree: xr.DataTree, column: str, at: int, value: int) -> xr.DataTree:
    """The tree with one number of its spikes changed by hand."""
    values = tree["spikes"][column].values.copy()
    values[at] = value
    spikes = tree["spikes"].to_dataset()
    return tree.assign(spikes=xr.DataTree(spikes.assign({column: spikes[column].copy(data=values)})))


@pytest.mark.parametrize(
    ("column", "at", "value", "message"),
    [
        ("sample_index", 0, -5, "1 spikes lie outside what was sorted, the first at sample -5 where samples 0 to 7000"),
        ("sample_index", -1, 7001, "first at sample 7001 where samples 0 to 7000 were sorted"),
        ("segment_index", -1, 1, "spikes lie in segments 0 to 1, and the sorting has 1"),
        ("segment_index", 0, -1, "spikes lie in segments -1 to 0"),
    ],
)
def test_a_spike_outside_what_was_sorted(sorting, column, at, value, message, tmp_path):
    wrong = _moved(sorting, column, at, value)
    for use in (validate_sorting, lambda tree: xephys.save_sorting(tree, tmp_path / "a.zarr")):
        with pytest.raises(ParameterError, match=message):
            use(wrong)
    assert not (tmp_path / "a.zarr").exists()


@pytest.mark.parametrize("rate", [np.nan, 0, -1.0, "30 kHz", None, np.inf])
def test_a_sorting_without_a_rate(sorting, rate):
    sorting.attrs["sampling_frequency"] = rate
    with pytest.raises(ParameterError, match=r"'sampling_frequency' is .* set it to the rate in hertz"):
        validate_sorting(sorting)


@pytest.mark.parametrize("column", ["sample_index", "unit_index", "segment_index"])
def test_a_column_that_counts_holds_whole_numbers(sorting, column):
    spikes = sorting["spikes"].to_dataset()
    changed = sorting.assign(spikes=xr.DataTree(spikes.assign({column: spikes[column] * 1.0})))
    with pytest.raises(ParameterError, match=f"{column} holds float64 values; give whole numbers"):
        validate_sorting(changed)


@pytest.mark.parametrize("start", [0, 200])
def test_a_spike_outside_of_a_part(sorting, start):
    part = xephys.select_period(sorting, 12.5 + start / 1000, 13.0)
    validate_sorting(part)
    first = int(part["spikes"]["sample_index"][0])
    assert first >= start
    with pytest.raises(ParameterError, match=f"the first at sample {start - 1} where samples {start} to 499 were"):
        validate_sorting(_moved(part, "sample_index", 0, start - 1))
