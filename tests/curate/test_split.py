"""Divided units: every node of the tree is updated."""

import json

import numpy as np
import pytest

import xephys
from xephys.errors import ParameterError
from xephys.sorting import validate_sorting

from .test_merge import tree_of
from .trains import trains_of


def test_a_unit_is_divided_by_a_mask_or_by_labels():
    tree = tree_of([[1000, 2000, 3000], [4000]])
    assert trains_of(xephys.split_unit(tree, 0, labels=[False, True, False])) == {2: [1000, 3000], 3: [2000], 1: [4000]}
    assert trains_of(xephys.split_unit(tree, 0, labels=["b", "a", "c"])) == {
        2: [2000], 3: [1000], 4: [3000], 1: [4000]
    }  # fmt: skip
    named = xephys.split_unit(tree, 0, labels=[7, 3, 3], new_ids=[0, 10])
    assert trains_of(named) == {0: [2000, 3000], 10: [1000], 1: [4000]}
    assert named["units"]["label"].values.tolist() == ["good"] * 3
    assert json.loads(named.attrs["log"])[-1]["labels"] == [3, 7]


def test_new_names_were_never_used_before():
    tree = xephys.split_unit(tree_of([[1000, 2000], [4000]]), 0, labels=[0, 1])
    tree = xephys.merge_units(tree, [2, 3])
    assert list(trains_of(xephys.split_unit(tree, 2, labels=[0, 1]))) == [4, 5, 1]
    texts = xephys.relabel_units(tree_of([[1000, 2000], [4000]]), unit_ids={0: "a", 1: "a-1"})
    assert list(trains_of(xephys.split_unit(texts, "a", labels=[0, 1]))) == ["a-2", "a-3", "a-1"]


def test_parts_merged_again_equal_the_unit(sorted_units):
    k = int(np.argmax(sorted_units["units"]["num_spikes"].values))
    unit = sorted_units["units"]["unit_id"].values[k].item()
    n = int(sorted_units["units"]["num_spikes"].values[k])
    labels = np.random.default_rng(0).integers(0, 3, n)
    divided = validate_sorting(xephys.split_unit(sorted_units, unit, labels=labels))
    parts = json.loads(divided.attrs["log"])[-1]["new_unit_ids"]
    again = xephys.merge_units(divided, parts, new_id=unit, duplicate_ms=1e-3)
    assert trains_of(again) == trains_of(sorted_units)
    for path, name in (("templates", "templates"), ("units", "x"), ("units", "y"), ("spikes", "scale")):
        np.testing.assert_allclose(again[path][name].values, sorted_units[path][name].values, rtol=1e-4, atol=1e-3)
    for name in ("num_spikes", "amplitude", "snr", "firing_rate", "contamination", "channel_index"):
        np.testing.assert_allclose(again["units"][name].values, sorted_units["units"][name].values, rtol=1e-4)
    if "kilosort4" in again.children:
        for name in ("template", "projection", "similarity"):
            theirs = sorted_units["kilosort4"][name].values
            np.testing.assert_allclose(again["kilosort4"][name].values, theirs, rtol=1e-4, atol=1e-4)


def test_parts_of_different_amplitude_get_templates_of_their_size(sorted_default):
    """A unit that mixes large and small spikes is divided by amplitude."""
    k = int(np.argmax(sorted_default["units"]["num_spikes"].values))
    spikes = sorted_default["spikes"].dataset
    scale = spikes["scale"].values[spikes["unit_index"].values == k].astype(np.float64)
    unit = sorted_default["units"]["unit_id"].values[k].item()
    divided = xephys.split_unit(sorted_default, unit, labels=scale > np.median(scale))
    small, large = divided["units"]["amplitude"].values[k : k + 2]
    expected = scale[scale <= np.median(scale)].mean() / scale[scale > np.median(scale)].mean()
    assert small / large == pytest.approx(expected, rel=1e-4)
    for part in (k, k + 1):
        own = divided["spikes"]["unit_index"].values == part
        assert divided["spikes"]["scale"].values[own].mean() == pytest.approx(1.0, abs=0.05)


def test_a_sort_cannot_reuse_a_divided_sorting_and_says_why(sorted_default, small):
    unit = sorted_default["units"]["unit_id"].values[0].item()
    n = int(sorted_default["units"]["num_spikes"].values[0])
    with pytest.raises(ParameterError, match="changed after the sort"):
        xephys.sort(small, learned=xephys.split_unit(sorted_default, unit, labels=np.arange(n) % 2))


@pytest.mark.parametrize(
    ("unit", "parameters", "message"),
    [
        (5, {"labels": [0]}, "there is no unit 5"),
        (0, {"labels": [0, 1]}, r"labels have shape \(2,\) and unit 0 has 3 spikes"),
        (0, {"labels": [1, 1, 1]}, "all 3 spikes of unit 0 have one label"),
        (0, {"labels": [0.5, 1.0, 2.0]}, "labels are float64"),
        (0, {"labels": [0, 1, 1], "new_ids": [4]}, "1 new_ids are given for 2 parts"),
        (0, {"labels": [0, 1, 1], "new_ids": [4, 4]}, "the new name 4 is that of another unit"),
        (0, {"labels": [0, 1, 1], "new_ids": [4, 1]}, "the new name 1 is that of another unit"),
    ],
)
def test_bad_input_is_refused(unit, parameters, message):
    with pytest.raises(ParameterError, match=message):
        xephys.split_unit(tree_of([[1000, 2000, 3000], [4000]]), unit, **parameters)
