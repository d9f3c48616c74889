"""Trains that take turns are pieces of a neuron; neurons that fire side by side, or only for a while, are not."""

import numpy as np
import pytest

from xephys.kernels.curate.merge import CANDIDATE
from xephys.kernels.curate.turns import find_turns, take_turns

RATE = 30_000
DURATION = 90 * RATE
WINDOW = {"window_samples": RATE, "duration_samples": DURATION}


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def train(rng, rate_hz, start_s=0.0, stop_s=90.0):
    gaps = 60 + rng.exponential(RATE / rate_hz - 60, int(3 * rate_hz * (stop_s - start_s)) + 30)
    times = start_s * RATE + np.cumsum(gaps)
    return times[times < stop_s * RATE].astype(np.int64)


def seconds_side_by_side(first, second):
    """Pairs within a second, counted one by one, relative to independent trains."""
    observed = sum(int((np.abs(second - t) < RATE).sum()) for t in first)
    return observed / (len(first) * len(second) * 2 * RATE / DURATION)


@pytest.mark.parametrize("rate_hz", [2.0, 8.0, 40.0])
@pytest.mark.parametrize("steps_s", [(40.0,), (12.0, 31.0, 58.0)])
@pytest.mark.parametrize("first_sample", [0, 123_456_789])
def test_pieces_of_a_neuron_take_turns(rng, rate_hz, steps_s, first_sample):
    """The tissue moves at each step; for two seconds around it, either template fits."""
    whole = train(rng, rate_hz)
    place = np.searchsorted(np.array(steps_s), whole / RATE + rng.uniform(-1, 1, len(whole)))
    first, second = (whole[place % 2 == side] + first_sample for side in (0, 1))
    assert seconds_side_by_side(first, second) < 0.2
    assert take_turns(first, second, **WINDOW)
    assert take_turns(second, first, **WINDOW)


@pytest.mark.parametrize("seed", range(10))
def test_neurons_side_by_side_do_not(seed):
    rng = np.random.default_rng(seed)
    whole = train(rng, 6.0)
    assert not take_turns(train(rng, 6.0), train(rng, 3.0), **WINDOW)
    assert not take_turns(whole[::2], whole[1::2], **WINDOW)


@pytest.mark.parametrize(("rate_hz", "stop_s"), [(3.0, 20.0), (40.0, 10.0), (6.0, 60.0)])
def test_a_neuron_that_falls_silent_beside_one_that_fires_on_does_not(rng, rate_hz, stop_s):
    assert not take_turns(train(rng, 4.0), train(rng, rate_hz, stop_s=stop_s), **WINDOW)


def test_two_neurons_that_leave_most_of_the_time_empty_do_not(rng):
    early, late = train(rng, 8.0, stop_s=25.0), train(rng, 8.0, start_s=60.0)
    assert seconds_side_by_side(early, late) == 0
    assert not take_turns(early, late, **WINDOW)


def test_few_spikes_tell_nothing(rng):
    early, late = train(rng, 0.3, stop_s=45.0), train(rng, 0.3, start_s=45.0)
    assert not take_turns(early, late, **WINDOW)
    assert not take_turns(early[:0], late, **WINDOW)
    assert not take_turns(early[:0], late[:0], **WINDOW)


def found(candidates, trains, target=None, shift=None):
    n = len(trains)
    target, shift = np.arange(n) if target is None else target, np.zeros(n, np.int64) if shift is None else shift
    turns = find_turns(
        np.array(candidates, CANDIDATE), trains, target, shift, refractory_samples=60, dead_samples=15, **WINDOW
    )
    return turns[["unit", "piece_of", "lag"]].tolist()


def test_three_pieces_join_though_two_of_them_leave_most_of_the_time_empty(rng):
    """The most similar pair lasts for a third of the recording, and joins once the others are one unit."""
    whole = train(rng, 5.0)
    parts = [whole[(whole >= low * RATE) & (whole < high * RATE)] for low, high in ((0, 60), (60, 75), (75, 90))]
    parts = [parts[0], parts[1] + 3, parts[2] - 2]
    candidates = [(1, 2, 0.95, 5, 1.0), (0, 1, 0.93, -3, 1.0)]
    assert found(candidates[:1], parts) == []
    assert found(candidates, parts) == [(1, 0, -3), (2, 0, 2)]
    # With templates 1 and 0 joined before, and 1 aligned then
    assert found(candidates[:1], parts, np.array([0, 0, 2]), np.array([0, -3, 0])) == [(2, 0, 2)]


@pytest.mark.parametrize(("similarity", "scale"), [(0.8, 1.0), (0.95, 0.4), (0.95, 2.4)])
def test_units_of_other_shape_or_size_stay_apart(rng, similarity, scale):
    whole = train(rng, 5.0)
    parts = [whole[: len(whole) // 2], whole[len(whole) // 2 :]]
    assert found([(0, 1, similarity, 0, scale)], parts) == []
    assert found([(0, 1, 0.95, 0, 1.0)], parts) == [(1, 0, 0)]
    assert found([(0, 1, 0.95, 0, 1.0)], parts, np.array([0, -1])) == []


def test_trains_that_coincide_stay_apart(rng):
    """Two neurons that take turns but share the moments of their transitions, where they fire together."""
    whole = train(rng, 5.0)
    early, late = whole[: len(whole) // 2], whole[len(whole) // 2 :]
    both = np.sort(np.concatenate([late, early[-12:] + 25]))
    assert take_turns(early, both, **WINDOW)
    assert found([(0, 1, 0.95, 0, 1.0)], [early, both]) == []
