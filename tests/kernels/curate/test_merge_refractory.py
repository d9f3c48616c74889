"""Similar units are one neuron if together they are as refractory as one train."""

from __future__ import annotations

import numpy as np

from xephys.kernels.curate.merge import CANDIDATE
from xephys.kernels.curate.merge_refractory import merge_refractory

from ..metrics.test_refractory import BIN, renewal


def merged(pairs, trains):
    return merge_refractory(np.array(pairs, CANDIDATE), trains, bin_samples=BIN)


def test_parts_of_one_neuron_at_three_delays():
    train = renewal(0)
    parts = [train[0::3], np.sort(train[1::3] + 7), np.sort(train[2::3] - 5)]
    # (first, second, similarity, how much later the spike is in the waveform of the second, scale)
    target, shift, why = merged([(0, 1, 0.8, -7, 1.0), (1, 2, 0.7, 12, 1.0)], parts)
    assert len(set(target.tolist())) == 1
    root = target[0]
    back = np.sort(np.concatenate([part + shift[k] for k, part in enumerate(parts)]))
    np.testing.assert_array_equal(back, np.sort(train + {0: 0, 1: 7, 2: -5}[int(root)]))
    assert why["merged"].sum() == 2


def test_two_neurons_are_not_merged():
    target, shift, why = merged([(0, 1, 0.95, 0, 1.0)], [renewal(0), renewal(1)])
    assert (target.tolist(), shift.tolist()) == ([0, 1], [0, 0])
    assert set(why["reason"]) == {"not refractory together"}


def contaminated(seed):
    """Halves of a neuron, each with as many foreign spikes, so that no unit is refractory."""
    rng = np.random.default_rng(seed)
    return np.sort(rng.integers(0, 120 * 30_000, 2400))


def test_a_contaminated_unit_is_merged_only_with_a_very_similar_one():
    noise, other = contaminated(0), renewal(3, rate_hz=4.0)
    *_, why = merged([(0, 1, 0.6, 0, 1.0)], [noise, other])
    assert not any(row["unit"] == 0 for row in why)
    *_, why = merged([(0, 1, 0.95, 0, 1.0)], [noise, other])
    assert any(row["unit"] == 0 for row in why)


def test_no_candidates_and_no_units():
    target, shift, why = merged([], [renewal(0)])
    assert (target.tolist(), shift.tolist(), len(why)) == ([0], [0], 0)
    target, *_ = merged([], [])
    assert len(target) == 0


def test_pieces_that_take_turns_are_merged_where_tissue_moves():
    train = renewal(0)
    early, late = train[train < 60 * 30_000], train[train >= 61 * 30_000]
    pair = np.array([(0, 1, 0.95, 0, 1.0)], CANDIDATE)
    for turn_taking_min, n_units in ((np.inf, 2), (0.4, 1)):
        target, _, why = merge_refractory(pair, [early, late], bin_samples=BIN, turn_taking_min=turn_taking_min)
        assert len(np.unique(target)) == n_units
    assert why["reason"].tolist() == ["of one shape, and take turns"]
    # Neither two neurons that fire side by side nor two of different shapes.
    _, _, why = merge_refractory(pair, [renewal(0), renewal(1)], bin_samples=BIN, turn_taking_min=0.4)
    assert not why["merged"].any()
    pair["similarity"] = 0.85
    _, _, why = merge_refractory(pair, [early, late], bin_samples=BIN, turn_taking_min=0.4)
    assert not why["merged"].any()
