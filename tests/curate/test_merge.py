"""Merged units: every node of the tree is updated."""

import json

import numpy as np
import pytest

import xephys
from xephys.errors import ParameterError
from xephys.metrics.facts import UnitFacts
from xephys.metrics.table import compute_columns
from xephys.schema import make_recording
from xephys.sorting import build_sorting, validate_sorting

from ..support.sorting_trees import sorting_of
from .trains import trains_of

RATE = 30_000.0


def tree_of(trains, *, amplitudes=None, **units):
    """A sorting without templates."""
    samples = np.concatenate([np.asarray(train, np.int64) for train in trains])
    of_unit = np.repeat(np.arange(len(trains)), [len(train) for train in trains])
    spikes = {"sample_index": samples, "unit_index": of_unit}
    if amplitudes is not None:
        spikes["amplitude"] = np.concatenate(amplitudes)
    rec = make_recording(np.zeros((30_000, 4), "i2"), sampling_frequency=RATE)
    return build_sorting(rec, spikes=spikes, units={"label": np.full(len(trains), "good"), **units})


def test_the_larger_of_two_spikes_within_the_refractory_time_stays():
    tree = tree_of([[1000, 2000, 5000], [1010, 2010, 9000]], amplitudes=[[-50.0, -90, -50], [-80.0, -60, -60]])
    assert trains_of(xephys.merge_units(tree, [0, 1]))[0] == [1010, 2000, 5000, 9000]


def test_of_equal_spikes_the_earlier_stays_and_a_lag_at_the_limit_is_allowed():
    tree = tree_of([[1000, 5000], [1014, 5015]])
    assert trains_of(xephys.merge_units(tree, [0, 1]))[0] == [1000, 5000, 5015]
    assert trains_of(xephys.merge_units(tree, [0, 1], duplicate_ms=0.1))[0] == [1000, 1014, 5000, 5015]


def test_spikes_of_different_segments_never_exclude_each_other():
    from xarray import DataTree

    segment = make_recording(np.zeros((2000, 2), "i2"), sampling_frequency=1000.0)
    both = DataTree.from_dict({f"segment_{k}": segment.to_dataset(name="traces") for k in range(2)})
    tree = build_sorting(
        both,
        spikes={"sample_index": [100, 100], "unit_index": [0, 1], "segment_index": [0, 1]},
        units={"label": ["good", "good"]},
    )
    assert trains_of(xephys.merge_units(tree, [0, 1], duplicate_ms=5))[0] == [100, 100]


def test_names_and_labels():
    tree = tree_of([[1000], [3000, 4000], [6000]])
    merged = xephys.merge_units(tree, [0, 1])
    assert trains_of(merged) == {1: [1000, 3000, 4000], 2: [6000]}
    assert merged["units"]["label"].values.tolist() == ["good", "good"]
    assert trains_of(xephys.merge_units(tree, [0, 1], new_id=9)) == {9: [1000, 3000, 4000], 2: [6000]}
    assert trains_of(xephys.merge_units(tree, [0, 1], new_id=0)) == {0: [1000, 3000, 4000], 2: [6000]}
    mixed = xephys.relabel_units(tree, labels={0: "mua"})
    assert xephys.merge_units(mixed, [0, 1])["units"]["label"].values.tolist() == ["unsorted", "good"]
    assert xephys.merge_units(mixed, [0, 1], label="good")["units"]["label"].values.tolist() == ["good", "good"]


def test_the_template_is_the_mean_of_aligned_templates_weighted_by_spikes():
    rng = np.random.default_rng(0)
    waveform = np.zeros((3, 40, 4), np.float32)
    waveform[0, 10:20] = rng.normal(size=(10, 4)) * 50
    waveform[1, 13:23] = 0.5 * waveform[0, 10:20]
    waveform[2, 5:9] = 7.0
    rec = make_recording(np.zeros((30_000, 4), "i2"), sampling_frequency=RATE)
    spikes = {"sample_index": np.arange(100, 1300, 100), "unit_index": [0] * 8 + [1] * 2 + [2] * 2}
    spikes["scale"] = np.ones(12)
    spikes["amplitude"] = np.ones(12)
    units = {
        "label": ["good"] * 3,
        "x": [0.0, 10.0, 5.0],
        "y": [100.0, 200.0, 0.0],
        "channel_index": np.abs(waveform).max(axis=1).argmax(axis=1),
        "amplitude": np.abs(waveform).max(axis=(1, 2)),
        "snr": np.abs(waveform).max(axis=(1, 2)) / 10.0,
    }
    tree = build_sorting(rec, spikes=spikes, units=units, templates=waveform, nbefore=10)
    merged = xephys.merge_units(tree, [1, 0])
    np.testing.assert_allclose(merged["templates"]["templates"].values[0], 0.9 * waveform[0], atol=1e-5)
    np.testing.assert_array_equal(merged["templates"]["templates"].values[1], waveform[2])
    table = merged["units"].dataset
    assert (table["x"].values[0], table["y"].values[0]) == pytest.approx((2.0, 120.0))
    assert table["amplitude"].values[0] == pytest.approx(0.9 * units["amplitude"][0])
    assert table["snr"].values[0] == pytest.approx(0.9 * units["snr"][0])
    # A spike of the size of its own template is larger than the mean of a large and a small template.
    of_first = merged["spikes"]["unit_index"].values == 0
    np.testing.assert_allclose(merged["spikes"]["scale"].values[of_first], [1 / 0.9] * 8 + [0.5 / 0.9] * 2, rtol=1e-5)
    assert json.loads(merged.attrs["log"])[-1]["lag_samples"] == [3, 0]


def test_metrics_equal_those_of_a_sort_with_the_joined_train(sorted_default):
    few = sorted_default["units"]["unit_id"].values[:2].tolist()
    merged = xephys.merge_units(sorted_default, few)
    spikes, table = merged["spikes"].dataset, merged["units"].dataset
    k = table["unit_id"].values.tolist().index(json.loads(merged.attrs["log"])[-1]["new_unit_id"])
    template = merged["templates"]["templates"].values[k]
    channel = int(np.abs(template).max(axis=0).argmax())
    facts = UnitFacts(
        sample_index=spikes["sample_index"].values[spikes["unit_index"].values == k],
        unit_index=np.zeros(int((spikes["unit_index"].values == k).sum()), np.int64),
        n_units=1,
        n_samples=int(merged.attrs["n_samples"]),
        sampling_frequency=float(merged.attrs["sampling_frequency"]),
        amplitude=np.abs(template).max(keepdims=True).reshape(1),
        noise=merged["learned/channels"]["noise_level"].values[[channel]],
    )
    assert int(table["channel_index"].values[k]) == channel
    for name, values in compute_columns(
        facts, ["num_spikes", "firing_rate", "contamination", "amplitude", "snr"]
    ).items():
        assert table[name].values[k] == pytest.approx(values[0])


def test_a_merged_sorting_of_either_preset_can_be_saved_and_used(sorted_units, small, tmp_path):
    ids = sorted_units["units"]["unit_id"].values.tolist()
    merged = validate_sorting(xephys.merge_units(sorted_units, ids[:2]))
    n_units = len(ids) - 1
    assert merged["units"].sizes["unit"] == merged["templates"].sizes["unit"] == n_units
    xephys.save_sorting(merged, tmp_path / "merged.zarr")
    assert trains_of(xephys.open_sorting(tmp_path / "merged.zarr")) == trains_of(merged)
    assert xephys.to_spikeinterface(merged).get_num_units() == n_units
    xephys.export_phy(merged, tmp_path / "phy")
    if "kilosort4" in merged.children:
        xephys.export_kilosort(merged, tmp_path / "kilosort4", pictures=False)
        features = np.load(tmp_path / "kilosort4" / "pc_features.npy")
        assert len(features) == merged["spikes"].sizes["spike"]


def test_a_merged_sorting_sorts_the_same_recording(sorted_default, small):
    """The templates of all members find spikes of the merged unit."""
    ids = sorted_default["units"]["unit_id"].values[:2].tolist()
    merged = xephys.merge_units(sorted_default, ids)
    again = xephys.sort(small, learned=merged)
    assert again["units"]["unit_id"].values.tolist() == merged["units"]["unit_id"].values.tolist()
    before, after = trains_of(merged), trains_of(again)
    for unit, train in before.items():
        assert len(after[unit]) == pytest.approx(len(train), rel=0.02)


def test_columns_that_cannot_be_computed_are_unknown_and_logged():
    tree = tree_of(
        [[1000], [3000], [5000]],
        isolation=np.array([1.0, 2.0, 3.0]),
        group=np.array([4, 4, 5]),
        channel_group=np.array(["a", "b", "a"]),
        count=np.array([1, 2, 3]),
    )
    merged = xephys.merge_units(tree, [0, 1])
    table = merged["units"].dataset
    assert np.isnan(table["isolation"].values[0]) and table["isolation"].values[1] == 3.0
    assert table["group"].values.tolist() == [4, 5]
    assert table["channel_group"].values.tolist() == ["", "a"]
    assert np.isnan(table["count"].values[0]) and table["count"].values[1] == 3
    unknown = json.loads(merged.attrs["log"])[-1]["unknown"]
    assert set(unknown) == {"isolation", "channel_group", "count"}


def test_the_original_sorting_is_unchanged():
    rec = make_recording(
        np.zeros((2000, 4), "i2"),
        sampling_frequency=1000.0,
        coordinates={"x": np.zeros(4), "y": 20.0 * np.arange(4)},
    )
    tree = sorting_of(rec)
    before = tree.copy(deep=True)
    xephys.merge_units(tree, [7, 27])
    assert tree.identical(before)


@pytest.mark.parametrize(
    ("unit_ids", "parameters", "message"),
    [
        ([0], {}, "1 unit is given; a merge takes two or more"),
        ([0, 5], {}, "there is no unit 5; the 3 units are 0, 1, 2"),
        ([0, 0], {}, "2 units are given, 1 different"),
        ([0, 1], {"new_id": 2}, "the new name 2 is that of another unit"),
        ([0, 1], {"new_id": "a"}, "named by integers"),
        ([0, 1], {"duplicate_ms": 0.0}, "duplicate_ms is 0"),
    ],
)
def test_bad_input_is_refused(unit_ids, parameters, message):
    with pytest.raises(ParameterError, match=message):
        xephys.merge_units(tree_of([[1000], [3000], [5000]]), unit_ids, **parameters)
