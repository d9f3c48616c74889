"""SpikeInterface sortings there and back: starts, annotations, names and properties of every type, and none added."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spikeinterface.core as si
import xarray as xr

from tests.support.sorting_trees import sorting_of
from xephys.io.bridge.spikeinterface import from_spikeinterface, to_spikeinterface
from xephys.recording.segments import tree_of

PROPERTIES: dict[str, Any] = {
    "quality": np.array(["good", "mua", "noise"]),
    "label": np.array(["a", "b", "c"]),
    "unit": np.array([3, 1, 2]),
    "unit_id": np.array([7, 8, 9]),
    "num_spikes": np.array([1.5, 2.5, 3.5]),
    "with/slash": np.array([1.0, np.nan, 3.0]),
    "with blank": np.array([True, False, True]),
    "nested": np.array([[1, 2], [3, 4], [5, 6]]),
    "objects": np.array([None, {"a": 1}, "text"], object),
}


def sorting_with(names: list[str], *, n_segments: int = 2, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    trains = [np.sort(rng.integers(0, 10_000, 60)) for _ in range(n_segments)]
    labels = [rng.integers(0, 3, 60) for _ in range(n_segments)]
    sorting = si.NumpySorting.from_samples_and_labels(trains, labels, 10_000.0, unit_ids=np.array([0, 1, 2]))
    for name in names:
        sorting.set_property(name, PROPERTIES[name])
    return sorting


def assert_equal(one: Any, two: Any) -> None:
    np.testing.assert_array_equal(one.to_spike_vector(), two.to_spike_vector())
    assert one.unit_ids.tolist() == two.unit_ids.tolist()
    assert one.get_num_segments() == two.get_num_segments()
    assert set(one.get_property_keys()) == set(two.get_property_keys())
    for key in one.get_property_keys():
        ours, theirs = one.get_property(key), two.get_property(key)
        assert ours.dtype.kind == theirs.dtype.kind, key
        assert str(ours.tolist()) == str(theirs.tolist()), key
    assert one._annotations == two._annotations
    assert [s._t_start for s in one.segments] == [s._t_start for s in two.segments]


@pytest.mark.parametrize(
    "names", [[], *([name] for name in PROPERTIES), ["quality", "label"], list(PROPERTIES)], ids=str
)
def test_every_property_comes_back(names: list[str]) -> None:
    theirs = sorting_with(names)
    back = to_spikeinterface(from_spikeinterface(theirs))
    assert_equal(back, theirs)
    assert_equal(to_spikeinterface(from_spikeinterface(pickle.loads(pickle.dumps(back)))), theirs)


@pytest.mark.parametrize("unit", ["Y", "M", "D", "h", "m", "s", "ms", "us", "ns"])
@pytest.mark.parametrize("kind", ["datetime64", "timedelta64"])
def test_dates_come_back_in_their_own_unit(kind: str, unit: str) -> None:
    theirs = sorting_with([])
    values = np.arange(1, 1 + len(theirs.unit_ids)).astype(f"{kind}[{unit}]")
    theirs.set_property("when", values)
    back = to_spikeinterface(from_spikeinterface(theirs)).get_property("when")
    assert back.dtype == values.dtype
    assert np.array_equal(back, values)


def test_starts_annotations_and_the_name_come_back() -> None:
    theirs = sorting_with(["quality"])
    theirs.segments[0]._t_start = 100.0
    theirs.annotate(experimenter="A", days=[1, 2])
    theirs.name = "night"
    back = to_spikeinterface(from_spikeinterface(theirs))
    assert_equal(back, theirs)
    assert back.name == "night"
    assert back.get_unit_spike_train(0, segment_index=0, return_times=True)[0] > 100.0


@pytest.mark.parametrize("seed", range(20))
def test_random_sortings_come_back(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = rng.permutation(list(PROPERTIES))[: rng.integers(0, len(PROPERTIES))].tolist()
    theirs = sorting_with(names, n_segments=int(rng.integers(1, 4)), seed=seed)
    for segment in theirs.segments:
        segment._t_start = None if rng.random() < 0.5 else float(rng.uniform(0, 100))
    assert_equal(to_spikeinterface(from_spikeinterface(theirs)), theirs)


def test_units_can_be_merged_in_spikeinterface() -> None:
    """No added property keeps SpikeInterface from merging."""
    from spikeinterface.core.sorting_tools import apply_merges_to_sorting

    merged = apply_merges_to_sorting(to_spikeinterface(from_spikeinterface(sorting_with([]))), [[0, 1]])
    assert len(merged.unit_ids) == 2


def test_spikeinterface_there_and_back(tmp_path: Path, recording: xr.DataArray) -> None:
    segments = tree_of([recording[:1000], recording[1000:2000], recording[2000:3000]])
    tree = sorting_of(segments, n_segments=2)  # the third segment has no spikes
    theirs = to_spikeinterface(tree)
    assert theirs.get_num_segments() == 3
    assert theirs.unit_ids.tolist() == [7, 17, 27]
    assert theirs.get_property("quality").tolist() == ["good", "mua", "noise"]
    spikes = tree["spikes"].dataset
    for segment in range(3):
        for index, unit in enumerate(theirs.unit_ids):
            mask = (spikes["segment_index"].values == segment) & (spikes["unit_index"].values == index)
            train = theirs.get_unit_spike_train(unit, segment_index=segment)
            assert train.tolist() == (spikes["sample_index"].values[mask] - 1000 * segment).tolist()
    theirs.dump_to_json(tmp_path / "sorting.json")
    for other in (pickle.loads(pickle.dumps(theirs)), si.load(tmp_path / "sorting.json")):
        assert other.get_num_segments() == 3
        np.testing.assert_array_equal(other.to_spike_vector(), theirs.to_spike_vector())
        assert other.get_property("snr").tolist() == theirs.get_property("snr").tolist()
    back = from_spikeinterface(theirs)
    assert back["units"]["label"].values.tolist() == ["good", "mua", "noise"]
    assert len(back.attrs["n_samples"]) == 3
    np.testing.assert_array_equal(to_spikeinterface(back).to_spike_vector(), theirs.to_spike_vector())
