"""Which matches are spikes: by shape and score, unit by unit, whatever the chunks; by the score where shapes agree."""

import numpy as np
import pytest

from tests.match.test_others import stored
from xephys.match import shapes
from xephys.match.selected import SelectedRecords
from xephys.match.shapes import N_SPIKES_MAX, judge_by_shape

DTYPE = np.dtype([("sample_index", "<i8"), ("unit_index", "<i8"), ("gain", "<f8"), ("projection", "<f4", (4, 3))])
THRESHOLDS = np.array([5.0, 5.0, 5.0])


def matched(n_spikes, n_false, *, seed=0):
    """Unit 0 has false alarms of its own shape, unit 2 some of another; and which matches are spikes."""
    rng = np.random.default_rng(seed)
    kind = rng.permutation(np.repeat([0, 1, 2, 3], [n_spikes, n_false, n_spikes, n_false]))
    is_spike = kind % 2 == 0
    score = np.where(is_spike, rng.normal(5.6, 0.9, len(kind)), 4 + rng.exponential(0.5, len(kind)))
    spikes = np.zeros(len(kind), DTYPE)
    spikes["sample_index"], spikes["unit_index"] = np.arange(len(kind)) * 50, np.where(kind < 2, 0, 2)
    spikes["gain"], spikes["projection"] = score**2, rng.standard_normal((len(kind), 4, 3))
    spikes["projection"][:, 0, 0] += score
    spikes["projection"][kind == 3, 1] += 2.5
    seen = score >= 4
    return spikes[seen], is_spike[seen]


@pytest.mark.parametrize("n_spikes", [400, N_SPIKES_MAX])
def test_each_unit_is_judged_by_what_tells_more(tmp_path, n_spikes):
    spikes, is_spike = matched(n_spikes, n_spikes)
    found, records = judge_by_shape(stored(spikes, tmp_path / "one", n_chunks=1), THRESHOLDS, n_spikes_min=20)
    first = spikes["unit_index"] == 0
    assert records["unit"].tolist() == [2]
    assert records["num_matches"] == min((~first).sum(), N_SPIKES_MAX)
    assert np.array_equal(found[first], spikes["gain"][first] >= 25)
    by_score = spikes["gain"] >= 25
    assert np.mean((found == is_spike)[~first]) > 0.95 > np.mean((by_score == is_spike)[~first])


def test_judgements_depend_neither_on_chunks_nor_on_how_many_are_judged_at_a_time(tmp_path, monkeypatch):
    spikes, _ = matched(500, 700)
    one, _ = judge_by_shape(stored(spikes, tmp_path / "one", n_chunks=1), THRESHOLDS, n_spikes_min=20)
    monkeypatch.setattr(shapes, "N_AT_A_TIME", 37)
    every = stored(spikes, tmp_path / "seven", n_chunks=7)
    seven, _ = judge_by_shape(every, THRESHOLDS, n_spikes_min=20)
    assert np.array_equal(one, seven)
    half = np.arange(0, len(spikes), 2)
    selected, _ = judge_by_shape(SelectedRecords(every, half), THRESHOLDS, n_spikes_min=20)
    alone, _ = judge_by_shape(stored(spikes[half], tmp_path / "half", n_chunks=3), THRESHOLDS, n_spikes_min=20)
    assert np.array_equal(selected, alone)


def test_few_matches_and_none_are_judged_by_their_score(tmp_path):
    spikes, _ = matched(500, 700)
    for number in (0, 30):
        some = stored(spikes[:number], tmp_path / str(number), n_chunks=1)
        found, records = judge_by_shape(some, THRESHOLDS, n_spikes_min=20)
        assert np.array_equal(found, spikes["gain"][:number] >= 25)
        assert len(records) == 0
