"""``compare`` counts what SpikeInterface counts, and classifies the units."""

import numpy as np
import pytest
from spikeinterface import NumpySorting
from spikeinterface.comparison import compare_sorter_to_ground_truth

from xephys.comparison.pair import compare
from xephys.errors import ParameterError, RecordingError

RATE = 30_000.0


def _sorting(trains, ids=None):
    ids = list(range(len(trains))) if ids is None else ids
    return NumpySorting.from_unit_dict(
        dict(zip(ids, [np.sort(np.asarray(t, np.int64)) for t in trains], strict=True)), RATE
    )


@pytest.fixture(scope="module")
def pair():
    """Truth of six units, found with jitter, misses, a split, a merge and a unit that does not exist."""
    rng = np.random.default_rng(0)
    truth = [np.sort(rng.choice(600_000, 400 + 50 * k, replace=False)) for k in range(6)]
    jitter = [t + rng.integers(-8, 9, len(t)) for t in truth]
    tested = [
        jitter[0],
        jitter[1][rng.random(len(jitter[1])) < 0.7],
        jitter[2][::2],
        jitter[2][1::2],
        np.concatenate([jitter[3], jitter[4]]),
        rng.choice(600_000, 300, replace=False),
    ]
    return _sorting(tested, [10, 11, 12, 13, 14, 15]), _sorting(truth)


def test_counts_equal_spikeinterfaces(pair):
    tested, truth = pair
    ours = compare(tested, truth)
    theirs = compare_sorter_to_ground_truth(truth, tested, exhaustive_gt=True)
    table, counts = theirs.get_performance(), theirs.count_score
    for name in ("accuracy", "recall", "precision"):
        np.testing.assert_array_equal(ours.units[name].values, table[name].to_numpy(float))
    for name, column in (("num_matched", "tp"), ("num_missed", "fn"), ("num_false", "fp"), ("num_truth", "num_gt")):
        np.testing.assert_array_equal(ours.units[name].values, counts[column].to_numpy(int))
    expected = theirs.count_units_categories()
    for name in ("well_detected", "redundant", "overmerged", "false_positive"):
        assert ours.summary[f"num_{name}"] == expected[f"num_{name}"]
    pooled = theirs.get_performance(method="pooled_with_average")
    for name in ("accuracy", "recall", "precision"):
        assert ours.summary[name] == pooled[name]
    matched = table["precision"][counts["tp"] > 0]
    assert ours.summary["num_matched_units"] == len(matched)
    assert ours.summary["precision_matched"] == pytest.approx(matched.astype(float).mean())
    np.testing.assert_array_equal(ours.agreement.values, theirs.agreement_scores.to_numpy())


def test_delta_is_passed_on(pair):
    tested, truth = pair
    narrow = compare(tested, truth, delta_ms=0.1)
    theirs = compare_sorter_to_ground_truth(truth, tested, exhaustive_gt=True, delta_time=0.1)
    np.testing.assert_array_equal(narrow.units["num_matched"].values, theirs.count_score["tp"].to_numpy(int))
    assert narrow.summary["accuracy"] < compare(tested, truth).summary["accuracy"]


def test_confusion_accounts_for_every_spike(pair):
    result = compare(*pair)
    confusion = result.confusion
    matched = int((result.units["match"] != "").sum())
    diagonal = np.diag(confusion.values)[:matched]
    assert confusion.truth_unit.values[-1] == "false"
    assert confusion.tested_unit.values[-1] == "missed"
    for k in range(matched):
        true_unit, tested_unit = confusion.truth_unit.values[k], confusion.tested_unit.values[k]
        assert result.units["match"].sel(truth_unit=int(true_unit)).item() == tested_unit
        n_true = int(result.units["num_truth"].sel(truth_unit=int(true_unit)))
        assert diagonal[k] + confusion.values[k, -1] == n_true
        n_tested = int(result.tested_units["num_spikes"].sel(tested_unit=int(tested_unit)))
        assert diagonal[k] + confusion.values[-1, k] == n_tested


def test_kinds_of_tested_units(pair):
    tested_units = compare(*pair).tested_units
    kinds = dict(zip(tested_units.tested_unit.values.tolist(), tested_units["kind"].values.tolist(), strict=True))
    assert kinds[10] == "well detected"
    assert kinds[11] == "matched"
    assert sorted([kinds[12], kinds[13]]) == ["matched", "redundant"]
    assert kinds[15] == "false positive"
    assert bool(tested_units["overmerged"].sel(tested_unit=14))


def test_string_ids():
    truth = _sorting([[100, 900, 2000], [300, 5000, 7000]], ["a", "b"])
    tested = _sorting([[101, 899, 2002]], ["x"])
    result = compare(tested, truth)
    assert result.units["match"].values.tolist() == ["x", ""]
    assert result.summary["accuracy"] == 0.5
    assert result.confusion.values.tolist() == [[3, 0], [0, 3], [0, 0]]


def test_a_sorting_without_units_is_compared():
    result = compare(_sorting([]), _sorting([[1, 5], [7]]))
    assert result.summary["accuracy"] == 0
    assert result.units["num_missed"].values.tolist() == [2, 1]
    assert result.confusion.shape == (3, 1)


def test_a_perfect_sorting_has_full_scores():
    truth = _sorting([[1000, 5000], [7000]])
    assert compare(truth, truth).summary["accuracy"] == 1.0
    assert repr(compare(truth, truth)) == (
        "<Comparison of 2 tested with 2 true units: 2 well detected, accuracy 1.000, recall 1.000, precision 1.000>"
    )


def test_bad_input_is_refused():
    truth = _sorting([[1000, 5000]])
    other = NumpySorting.from_unit_dict({0: np.array([5])}, 20_000.0)
    with pytest.raises(RecordingError, match="true sorting was sampled at 30000 Hz and the tested at 20000 Hz"):
        compare(other, truth)
    with pytest.raises(RecordingError, match="no unit"):
        compare(truth, _sorting([]))
    with pytest.raises(ParameterError, match="match_score is 2"):
        compare(truth, truth, match_score=2)
    with pytest.raises(ParameterError, match="delta_ms"):
        compare(truth, truth, delta_ms=0)
    with pytest.raises(TypeError, match="got list"):
        compare([1], truth)


@pytest.mark.parametrize("names", [[-1, 5], ["-1", "x"], [5, -1]])
def test_a_unit_may_have_the_name_that_stands_for_none_elsewhere(names):
    times = [np.array([1000, 5000, 9000]), np.array([7000, 8000])]
    sorting = NumpySorting.from_unit_dict(dict(zip(names, times, strict=True)), 30_000.0)
    result = compare(sorting, sorting)
    assert result.summary["accuracy"] == 1.0
    assert result.summary["num_well_detected"] == 2
    assert result.units["match"].values.tolist() == [str(name) for name in names]
    assert result.tested_units["best_truth"].values.tolist() == [str(name) for name in names]
