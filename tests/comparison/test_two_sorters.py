"""Two sortings without a ground truth: agreement and matches equal SpikeInterface's."""

from __future__ import annotations

import numpy as np
import pytest
from spikeinterface.comparison import compare_two_sorters as theirs_of

from xephys.comparison.two_sorters import compare_two_sorters
from xephys.errors import ParameterError

from .trains import two_sortings


@pytest.mark.parametrize("texts", [False, True])
@pytest.mark.parametrize("n_segments", [1, 2])
def test_all_results_equal_spikeinterfaces(n_segments: int, texts: bool) -> None:
    first, second = two_sortings(3, n_segments=n_segments, texts=texts)
    ours, theirs = compare_two_sorters(first, second), theirs_of(first, second)
    for name in ("agreement_scores", "event_counts1", "event_counts2"):
        assert getattr(ours, name).equals(getattr(theirs, name)), name
    assert (ours.match_event_count.to_numpy() == theirs.match_event_count.to_numpy()).all()
    for name in ("hungarian_match_12", "hungarian_match_21", "best_match_12", "best_match_21"):
        assert getattr(ours, name).tolist() == getattr(theirs, name).tolist(), name
    for name in ("possible_match_12", "possible_match_21"):
        mine, other = getattr(ours, name), getattr(theirs, name)
        assert {u: v.tolist() for u, v in mine.items()} == {u: v.tolist() for u, v in other.items()}
    for one, other in zip(ours.get_matching(), theirs.get_matching(), strict=True):
        assert one.tolist() == other.tolist()
    for unit in first.unit_ids:
        best = theirs.get_best_unit_match1(unit)
        assert ours.get_best_unit_match1(unit) == best
        assert ours.get_matching_unit_list1(unit).tolist() == theirs.get_matching_unit_list1(unit).tolist()
        assert ours.get_agreement_fraction(unit, best) == theirs.get_agreement_fraction(unit, best)
        if best in second.unit_ids:
            assert ours.get_matching_event_count(unit, best) == theirs.get_matching_event_count(unit, best)
    for unit in second.unit_ids:
        assert ours.get_best_unit_match2(unit) == theirs.get_best_unit_match2(unit)
        assert ours.get_matching_unit_list2(unit).tolist() == theirs.get_matching_unit_list2(unit).tolist()
    assert (ours.sorting1_name, ours.sorting2_name) == ("sorting1", "sorting2")


def test_exchanged_sortings_give_the_same_result() -> None:
    first, second = two_sortings(4)
    one, other = compare_two_sorters(first, second), compare_two_sorters(second, first)
    np.testing.assert_array_equal(one.coincident, other.coincident.T)
    np.testing.assert_array_equal(one.assigned[0], other.assigned[1])


@pytest.mark.parametrize("n_segments", [1, 2])
def test_agreement_by_distance_equals_spikeinterfaces(n_segments: int) -> None:
    first, second = two_sortings(6, n_segments=n_segments)
    ours = compare_two_sorters(first, second, agreement_method="distance")
    theirs = theirs_of(first, second, agreement_method="distance")
    np.testing.assert_allclose(ours.agreement_scores, theirs.agreement_scores.fillna(0.0))
    assert not np.allclose(ours.agreement, compare_two_sorters(first, second).agreement)
    assert ours.hungarian_match_12.tolist() == theirs.hungarian_match_12.tolist()
    np.testing.assert_allclose(np.diagonal(compare_two_sorters(first, first, agreement_method="distance").agreement), 1)


def test_an_unknown_method_is_refused() -> None:
    first, second = two_sortings(6)
    with pytest.raises(ParameterError, match="agreement_method"):
        compare_two_sorters(first, second, agreement_method="overlap")
