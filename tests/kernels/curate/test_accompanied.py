"""A small unit that is hardly ever alone is part of the unit that it resembles; a neuron is alone more often."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.curate.accompanied import find_accompanied
from xephys.kernels.curate.merge import CANDIDATE

DURATION, WINDOW = 9_000_000, 39
LIMITS = {
    "window_samples": WINDOW,
    "refractory_samples": 60,
    "dead_samples": 15,
    "duration_samples": DURATION,
}
#: All units are seen on one channel.
CHANNELS = np.zeros((3, 1), np.int32)


def spread(seed, n):
    """Spikes at random, no closer than 90 samples."""
    return np.sort(np.random.default_rng(seed).choice(DURATION // 90, n, replace=False)) * 90


def collisions(large, third, n):
    """Takes the first spikes of the larger unit that overlap the third's out of its train."""
    near = np.abs(large[:, None] - third[np.searchsorted(third, large).clip(1, len(third) - 1)[:, None] + [-1, 0]])
    taken = np.flatnonzero(near.min(axis=1) <= 30)[:n]
    return np.delete(large, taken), large[taken]


def pairs(similarity=0.9, lag=0, first=0, second=1):
    return np.array([(first, second, similarity, lag, 1.0)], CANDIDATE)


def alone_by_definition(samples, third):
    return sum(np.abs(third - sample).min() > WINDOW for sample in samples)


@pytest.mark.parametrize("seed", range(3))
def test_collisions_of_a_neuron_belong_to_it(seed):
    third = spread(seed + 50, 9000)
    large, small = collisions(spread(seed, 12_000), third, 300)
    piece = find_accompanied(pairs(), CHANNELS, [large, small, third], **LIMITS)
    assert piece[["unit", "piece_of", "alone"]].tolist() == [(1, 0, 0)]
    looked_at = large[:: len(large) // 2000]
    share = alone_by_definition(looked_at, third) / len(looked_at)
    assert piece["alone_expected"][0] == pytest.approx(share * len(small))


def test_the_order_of_a_pair_does_not_matter():
    third = spread(50, 9000)
    large, small = collisions(spread(0, 12_000), third, 300)
    piece = find_accompanied(pairs(lag=4), CHANNELS, [small - 4, large, third], **LIMITS)
    assert piece[["unit", "piece_of", "lag"]].tolist() == [(0, 1, -4)]
    piece = find_accompanied(pairs(lag=4), CHANNELS, [large, small - 4, third], **LIMITS)
    assert piece[["unit", "piece_of", "lag"]].tolist() == [(1, 0, 4)]


@pytest.mark.parametrize("seed", range(3))
def test_a_rare_neuron_that_resembles_an_active_one_is_kept(seed):
    """Independent of the third unit, it has company as often as the larger one."""
    units = [spread(seed, 12_000), spread(seed + 20, 300), spread(seed + 50, 9000)]
    assert not len(find_accompanied(pairs(0.96), CHANNELS, units, **LIMITS))


def test_a_rare_neuron_that_follows_others_most_of_the_time_is_kept():
    third, own = spread(50, 9000), spread(20, 100)
    follower = np.sort(np.concatenate([third[::40] + 20, own]))
    assert not len(find_accompanied(pairs(), CHANNELS, [spread(0, 12_000), follower, third], **LIMITS))


def test_a_unit_that_fires_within_the_refractory_period_of_the_other_is_kept():
    third = spread(50, 9000)
    large, small = collisions(spread(0, 12_000), third, 300)
    large = np.sort(np.concatenate([large, small[::3] + 45]))
    assert not len(find_accompanied(pairs(), CHANNELS, [large, small, third], **LIMITS))


def test_a_unit_of_many_spikes_is_kept():
    third = spread(50, 9000)
    large, small = collisions(spread(0, 12_000), third, 700)
    assert not len(find_accompanied(pairs(), CHANNELS, [large, small, third], **LIMITS))


def test_units_out_of_sight_are_no_company():
    third = spread(50, 9000)
    large, small = collisions(spread(0, 12_000), third, 300)
    elsewhere = np.array([[0, -1], [0, -1], [5, -1]], np.int32)
    assert not len(find_accompanied(pairs(), elsewhere, [large, small, third], **LIMITS))


def test_an_active_neuron_that_is_never_alone_either_is_no_evidence():
    third = np.arange(0, DURATION, 60)
    large, small = collisions(spread(0, 12_000), third, 300)
    assert not len(find_accompanied(pairs(), CHANNELS, [large, small, third], **LIMITS))


def test_of_two_candidates_the_more_similar_one_has_the_piece():
    third = spread(50, 9000)
    large, small = collisions(spread(0, 12_000), third, 300)
    candidates = np.concatenate([pairs(0.93, first=3), pairs(0.8)])
    units = [large, small, third, spread(7, 12_000)]
    piece = find_accompanied(candidates, np.zeros((4, 1), np.int32), units, **LIMITS)
    assert piece[["unit", "piece_of"]].tolist() == [(1, 3)]


def test_empty_trains_and_no_candidates_find_nothing():
    empty = np.empty(0, np.int64)
    assert not len(find_accompanied(pairs(), CHANNELS, [spread(0, 900), empty, empty], **LIMITS))
    assert not len(find_accompanied(np.empty(0, CANDIDATE), CHANNELS, [empty] * 3, **LIMITS))
