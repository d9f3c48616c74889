"""A sorting against the truth: every count, list and table equals SpikeInterface's."""

from __future__ import annotations

import numpy as np
import pytest
from spikeinterface.comparison import compare_sorter_to_ground_truth as theirs_of

from xephys.comparison.ground_truth import compare_sorter_to_ground_truth
from xephys.errors import ParameterError

from .trains import numpy_sorting, two_sortings

LISTS = ("well_detected", "false_positive", "redundant", "overmerged", "bad")


@pytest.mark.parametrize("mode", ["hungarian", "best"])
@pytest.mark.parametrize("seed", range(3))
def test_tables_equal_spikeinterfaces(seed: int, mode: str) -> None:
    truth, tested = two_sortings(seed)
    ours = compare_sorter_to_ground_truth(truth, tested, exhaustive_gt=True, match_mode=mode)
    theirs = theirs_of(truth, tested, exhaustive_gt=True, match_mode=mode)
    for method in ("by_unit", "pooled_with_average"):
        np.testing.assert_allclose(
            ours.get_performance(method).to_numpy(float), theirs.get_performance(method).to_numpy(float), rtol=1e-15
        )
    raw, other = ours.get_performance("raw_count"), theirs.get_performance("raw_count")
    assert set(raw.columns) == set(other.columns)
    assert raw[other.columns].to_numpy().tolist() == other.to_numpy().tolist()
    as_dict, expected = ours.get_performance(output="dict"), theirs.get_performance(output="dict")
    assert {name: pytest.approx(values) for name, values in as_dict.items()} == expected
    if mode == "hungarian":
        matrix, expected = ours.get_confusion_matrix(), theirs.get_confusion_matrix()
        assert matrix.to_numpy().tolist() == expected.to_numpy().tolist()
        assert [*map(str, matrix.index), *map(str, matrix.columns)] == [
            *map(str, expected.index), *map(str, expected.columns)
        ]  # fmt: skip
    assert ours.get_ordered_agreement_scores().equals(theirs.get_ordered_agreement_scores())


@pytest.mark.parametrize("texts", [False, True])
@pytest.mark.parametrize("n_segments", [1, 2])
def test_lists_of_units_equal_spikeinterfaces(n_segments: int, texts: bool) -> None:
    truth, tested = two_sortings(5, n_segments=n_segments, texts=texts)
    ours = compare_sorter_to_ground_truth(truth, tested, exhaustive_gt=True)
    theirs = theirs_of(truth, tested, exhaustive_gt=True)
    filled = 0
    for name in LISTS:
        found = getattr(ours, f"get_{name}_units")()
        assert found == [str(u) if texts else int(u) for u in getattr(theirs, f"get_{name}_units")()], name
        assert getattr(ours, f"count_{name}_units")() == len(found)
        filled += bool(found)
    assert filled == len(LISTS)
    counts, expected = ours.count_units_categories(), theirs.count_units_categories()
    assert counts.to_dict() == expected.to_dict()


@pytest.mark.parametrize("score", [0.05, 0.4, 0.6, 0.95])
def test_scores_given_to_a_call_do_not_change_the_comparison(score: float) -> None:
    truth, tested = two_sortings(1)
    ours = compare_sorter_to_ground_truth(truth, tested, exhaustive_gt=True)
    before = [getattr(ours, f"get_{name}_units")() for name in LISTS]
    for name in LISTS[:-1]:
        theirs = theirs_of(truth, tested, exhaustive_gt=True)
        assert getattr(ours, f"get_{name}_units")(score) == getattr(theirs, f"get_{name}_units")(score), name
    assert before == [getattr(ours, f"get_{name}_units")() for name in LISTS]


def test_labels_of_spikes_equal_spikeinterfaces() -> None:
    truth, tested = two_sortings(2, apart=60)  # SpikeInterface counts a chain of near spikes as one
    ours, theirs = compare_sorter_to_ground_truth(truth, tested), theirs_of(truth, tested)
    for unit in truth.unit_ids:
        assert ours.get_labels1(unit)[0].tolist() == theirs.get_labels1(unit)[0].tolist()
        assert (ours.get_labels1(unit)[0] == "TP").sum() == ours.counts["tp"][list(truth.unit_ids).index(unit)]
    for unit in set(tested.unit_ids) - {14}:  # unit 14 is a merge, so its spikes come near each other
        assert ours.get_labels2(unit)[0].tolist() == theirs.get_labels2(unit)[0].tolist()


def test_an_incomplete_truth_says_nothing_about_false_positives(capsys: pytest.CaptureFixture[str]) -> None:
    truth, tested = two_sortings(0)
    ours = compare_sorter_to_ground_truth(truth, tested, gt_name="G", tested_name="T")
    for name in LISTS[1:]:
        with pytest.raises(ParameterError, match="exhaustive_gt=True"):
            getattr(ours, f"get_{name}_units")()
    ours.print_summary()
    ours.print_performance()
    ours.print_performance("by_unit")
    printed = capsys.readouterr().out
    assert "T against G" in printed and "num_well_detected" in printed and "num_redundant" not in printed
    assert f"{100 * ours.get_performance('pooled_with_average')['accuracy']:.2f}" in printed


def test_sortings_without_units_or_spikes_are_compared() -> None:
    truth, _ = two_sortings(0)
    silent = numpy_sorting([{3: np.zeros(0)}])
    ours = compare_sorter_to_ground_truth(truth, silent, exhaustive_gt=True)
    assert ours.get_performance("pooled_with_average")["accuracy"] == 0
    assert ours.get_false_positive_units() == [3]
    assert ours.get_confusion_matrix().to_numpy().sum() == truth.to_spike_vector().size
    empty = truth.select_units([])
    none = compare_sorter_to_ground_truth(truth, empty, exhaustive_gt=True)
    assert none.get_bad_units() == [] and none.counts["fn"].sum() == truth.to_spike_vector().size


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"match_mode": "first"}, "it must be one of 'hungarian', 'best'"),
        ({"chance_score": 1.5}, "chance_score is 1.5; it must lie between 0 and 1"),
        ({"delta_ms": 0}, "delta_ms is 0; it must be greater than 0"),
    ],
)
def test_bad_input_is_refused(change: dict[str, float | str], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        compare_sorter_to_ground_truth(*two_sortings(0), **change)
    with pytest.raises(ParameterError, match="there is no unit 99"):
        compare_sorter_to_ground_truth(*two_sortings(0)).get_labels1(99)
