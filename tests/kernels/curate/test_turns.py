"""Trains that take turns are pieces of a neuron; neurons that fire side by side, or only for a while, are not."""

import numpy as np
import pytest

from xephys.kernels.curate.merge import CANDIDATE
from xephys.kernels.curate.turns import find_turns, lasts_throughout, share_side_by_side

RATE = 30_000
DURATION = 90 * RATE
EXTENT = {"duration_samples": DURATION, "window_samples": RATE}


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def train(rng, rate_hz, start_s=0.0, stop_s=90.0):
    gaps = 60 + rng.exponential(RATE / rate_hz - 60, int(3 * rate_hz * (stop_s - start_s)) + 30)
    times = start_s * RATE + np.cumsum(gaps)
    return times[times < stop_s * RATE].astype(np.int64)


def between(whole, low_s, high_s):
    return whole[(whole >= low_s * RATE) & (whole < high_s * RATE)]


def found(candidates, trains, target=None, shift=None):
    n = len(trains)
    target, shift = np.arange(n) if target is None else target, np.zeros(n, np.int64) if shift is None else shift
    pairs = np.array(candidates, CANDIDATE)
    turns = find_turns(pairs, trains, target, shift, refractory_samples=60, dead_samples=15, **EXTENT)
    return turns[["unit", "piece_of", "lag"]].tolist()


def test_the_share_side_by_side_equals_a_count_of_all_pairs(rng):
    whole = train(rng, 6.0)
    drift = whole + rng.uniform(-5, 5, len(whole)) * RATE  # which of two templates fits
    for first, second in ((whole[drift < 40 * RATE], whole[drift >= 40 * RATE]), (whole[::3], whole[1::3])):
        apart = np.abs(first[:, None] - second)
        counted = ((apart >= 1) & (apart < RATE)).sum() / (len(first) * len(second) * 2 * RATE / DURATION)
        assert share_side_by_side(first, second, **EXTENT) == pytest.approx(counted, rel=1e-3)


@pytest.mark.parametrize("rate_hz", [2.0, 8.0, 40.0])
@pytest.mark.parametrize("steps_s", [(40.0,), (12.0, 31.0, 58.0)])
@pytest.mark.parametrize("first_sample", [0, 123_456_789])
def test_pieces_of_a_neuron_are_joined(rng, rate_hz, steps_s, first_sample):
    """The tissue moves at each step; for two seconds around it, either template fits."""
    whole = train(rng, rate_hz)
    place = np.searchsorted(np.array(steps_s), whole / RATE + rng.uniform(-1, 1, len(whole)))
    pieces = [whole[place % 2 == side] + first_sample for side in (0, 1)]
    assert found([(0, 1, 0.87, 0, 1.0)], pieces) == [(1, 0, 0)]


@pytest.mark.parametrize("seed", range(10))
def test_neurons_side_by_side_are_not(seed):
    rng = np.random.default_rng(seed)
    assert found([(0, 1, 0.96, 0, 1.0)], [train(rng, 6.0), train(rng, 3.0)]) == []


@pytest.mark.parametrize(("rate_hz", "stop_s"), [(3.0, 20.0), (40.0, 10.0), (6.0, 60.0)])
def test_a_neuron_that_falls_silent_beside_one_that_fires_on_is_not(rng, rate_hz, stop_s):
    assert found([(0, 1, 0.96, 0, 1.0)], [train(rng, 4.0), train(rng, rate_hz, stop_s=stop_s)]) == []


def test_two_neurons_that_leave_part_of_the_time_empty_are_not(rng):
    early, late = train(rng, 8.0, stop_s=25.0), train(rng, 8.0, start_s=60.0)
    assert share_side_by_side(early, late, **EXTENT) == 0
    assert found([(0, 1, 0.96, 0, 1.0)], [early, late]) == []
    assert [lasts_throughout(part, duration_samples=DURATION) for part in (early, late[:0])] == [False, False]


def test_few_spikes_tell_nothing(rng):
    whole = train(rng, 0.3)
    assert found([(0, 1, 0.96, 0, 1.0)], [between(whole, 0, 45), between(whole, 45, 90)]) == []
    assert found([(0, 1, 0.96, 0, 1.0)], [whole[:0], whole]) == []
    assert found([(0, 1, 0.96, 0, 1.0)], [whole[:0], whole[:0]]) == []


@pytest.mark.parametrize(("similarity", "mixed_s", "joined"), [(0.95, 12, True), (0.78, 12, False), (0.87, 1, True)])
def test_the_more_similar_two_pieces_are_the_longer_they_may_fire_side_by_side(rng, similarity, mixed_s, joined):
    whole = train(rng, 8.0)
    late = whole / RATE + rng.uniform(-mixed_s, mixed_s, len(whole)) > 45
    assert bool(found([(0, 1, similarity, 0, 1.0)], [whole[~late], whole[late]])) == joined


def test_three_pieces_that_follow_one_another_join_in_order_and_with_their_lags(rng):
    """None of the pairs lasts throughout."""
    whole = train(rng, 5.0)
    parts = [between(whole, 0, 30), between(whole, 30, 60) + 3, between(whole, 60, 90) - 2]
    candidates = [(1, 2, 0.95, 5, 1.0), (0, 1, 0.93, -3, 1.0)]
    assert found(candidates[:1], parts) == []
    assert found(candidates, parts) == [(2, 1, 5), (1, 0, -3)]
    # With template 1 joined to 0 before, and aligned then
    assert found(candidates[:1], parts, np.array([0, 0, 2]), np.array([0, -3, 0])) == [(2, 0, 2)]


@pytest.mark.parametrize(("similarity", "scale"), [(0.74, 1.0), (0.95, 0.65), (0.95, 1.5)])
def test_units_of_other_shape_or_size_stay_apart(rng, similarity, scale):
    whole = train(rng, 5.0)
    parts = [between(whole, 0, 45), between(whole, 45, 90)]
    assert found([(0, 1, similarity, 0, scale)], parts) == []
    assert found([(0, 1, 0.95, 0, 1.3)], parts) == [(1, 0, 0)]
    assert found([(0, 1, 0.95, 0, 1.0)], parts, np.array([0, -1])) == []


def test_trains_that_coincide_stay_apart(rng):
    """Two neurons that take turns but share the moments of their transitions, where they fire together."""
    whole = train(rng, 5.0)
    early, late = between(whole, 0, 45), between(whole, 45, 90)
    both = np.sort(np.concatenate([late, early[-12:] + 25]))
    assert share_side_by_side(early, both, **EXTENT) < 0.2
    assert found([(0, 1, 0.95, 0, 1.0)], [early, both]) == []
