"""Several sortings: groups, agreements and agreed trains equal SpikeInterface's."""

from __future__ import annotations

import numpy as np
import pytest
from spikeinterface import NumpySorting
from spikeinterface.comparison import compare_multiple_sorters as theirs_of

import xephys
from xephys.comparison.several import MultiSortingComparison, compare_multiple_sorters
from xephys.errors import ParameterError

from ..curate.trains import trains_of
from .trains import numpy_sorting

#: SpikeInterface's window for joining trains, 5 samples, in ms.
DELTA_MS = 5.5 / 30


def several(seed: int, *, n_segments: int = 1) -> list[NumpySorting]:
    """Four sorters that jitter, miss, split and merge six units, each in its own way."""
    rng = np.random.default_rng(seed)
    truth = [[60 * np.sort(1 + rng.choice(5000, 200, replace=False)) for _ in range(6)] for _ in range(n_segments)]
    sortings = []
    for sorter in range(4):
        share = rng.uniform(0.55, 1, 6)
        segments = []
        for trains in truth:
            found: dict[int | str, np.ndarray] = {}
            for unit, train in enumerate(trains):
                if (unit + sorter) % 5 == 4:
                    continue
                moved = train[rng.random(len(train)) < share[unit]]
                found[10 * sorter + unit] = moved + rng.integers(-2, 3, len(moved))
            if sorter == 3:
                found[39] = found[30][::2]
                found[30] = np.setdiff1d(found[30], found[39])
            segments.append(found)
        sortings.append(numpy_sorting(segments))
    return sortings


def groups_of(several: MultiSortingComparison) -> list[dict[str, int]]:
    return [
        {
            name: int(one.unit_ids[k])
            for name, one, k in zip(several.name_list, several.spikes, row, strict=True)
            if k >= 0
        }
        for row in several.units["member"].values.tolist()
    ]


@pytest.mark.parametrize("mode", ["union", "intersection"])
@pytest.mark.parametrize("seed", range(3))
def test_groups_and_trains_equal_spikeinterfaces(seed: int, mode: str) -> None:
    pytest.importorskip("networkx", reason="SpikeInterface compares several sortings by it")
    sortings = several(seed)
    names = ["a", "b", "c", "d"]
    ours = compare_multiple_sorters(sortings, name_list=names, delta_ms=DELTA_MS, spiketrain_mode=mode)
    theirs = theirs_of(sortings, name_list=names, delta_time=DELTA_MS, spiketrain_mode=mode, n_jobs=1)
    expected = theirs.units
    assert groups_of(ours) == [{name: int(u) for name, u in one["unit_ids"].items()} for one in expected.values()]
    assert ours.units["agreement_number"].values.tolist() == [one["agreement_number"] for one in expected.values()]
    np.testing.assert_allclose(
        ours.units["avg_agreement"].values, [one["avg_agreement"] for one in expected.values()], rtol=1e-12
    )
    for few in (1, 2, 4):
        mine, other = ours.get_agreement_sorting(few), theirs.get_agreement_sorting(few)
        trains = trains_of(mine)
        assert set(trains) == {int(unit) for unit in other.unit_ids}
        for unit, train in trains.items():  # SpikeInterface takes each time from either unit, in the order of a set
            expected_train = other.get_unit_spike_train(unit, segment_index=0)
            assert len(train) == len(expected_train) and np.abs(train - expected_train).max() <= 5
    only = ours.get_agreement_sorting(3, minimum_agreement_count_only=True)
    assert set(only["units"]["agreement_number"].values.tolist()) == {3}


def chained() -> list[NumpySorting]:
    """Two units of the last sorting each agree with a unit of another sorting; these two agree with each other."""
    parts = np.split(60 * np.arange(1, 211), [50, 100, 150, 200])
    halves = {30: np.concatenate(parts[:2]), 39: np.concatenate(parts[2:])}
    return [
        numpy_sorting([{0: np.concatenate(parts[:3])}]),
        numpy_sorting([{10: np.concatenate(parts[1:4])}]),
        numpy_sorting([halves]),
    ]


def test_of_two_units_of_one_sorting_the_weaker_leaves_the_group() -> None:
    pytest.importorskip("networkx", reason="SpikeInterface compares several sortings by it")
    names = ["a", "b", "d"]
    ours, theirs = compare_multiple_sorters(chained(), name_list=names), theirs_of(chained(), name_list=names, n_jobs=1)
    assert ours.edges["kept"].values.tolist() == [True, True, False]
    expected = [{name: int(u) for name, u in one["unit_ids"].items()} for one in theirs.units.values()]
    assert groups_of(ours) == expected == [{"a": 0, "b": 10, "d": 30}, {"d": 39}]


def test_no_group_has_two_units_of_one_sorting() -> None:
    ours = compare_multiple_sorters(several(0), match_score=0.3)
    member = ours.units["member"].values
    assert (member >= 0).sum() == ours.nodes.sizes["node"]  # each unit is a member once
    names, ids = ours.compute_subgraphs()
    assert [len(one) for one in names] == ours.units["agreement_number"].values.tolist() == [len(one) for one in ids]


def test_segments_and_columns() -> None:
    ours = compare_multiple_sorters(several(1, n_segments=2), name_list=["a", "b", "c", "d"])
    tree = ours.get_agreement_sorting(2)
    assert set(tree["spikes"]["segment_index"].values.tolist()) == {0, 1}
    row = tree["units"].to_dataset().to_dataframe().iloc[0]
    assert sum(row[f"unit_in_{name}"] != "" for name in "abcd") == row["agreement_number"]
    assert xephys.compare(tree, tree).summary["accuracy"] == 1.0


def test_bad_input_is_refused() -> None:
    one = several(0)[0]
    with pytest.raises(ParameterError, match="1 sortings and 1 different names"):
        compare_multiple_sorters([one])
    with pytest.raises(ParameterError, match="a name for each"):
        compare_multiple_sorters([one, one], name_list=["a", "a"])
    with pytest.raises(ParameterError, match=r"no unit is in 3 sortings; .* the largest number is 2"):
        compare_multiple_sorters([one, one]).get_agreement_sorting(3)
