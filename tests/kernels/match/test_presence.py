"""A unit is absent where its template has false alarms only; it fires where spikes of its size are among them."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.match.presence import absent_places, expected_levels, spike_shares


def matches(seed: int, *, spikes: tuple[int, ...], false: tuple[int, ...], size: float = 10.0, floor: float = 5.0):
    """Levels and places: the given number of spikes and false alarms at each place."""
    rng = np.random.default_rng(seed)
    levels, places = [], []
    for place, (n_spikes, n_false) in enumerate(zip(spikes, false, strict=True)):
        own = np.concatenate([rng.normal(size, 1.2, n_spikes), floor + rng.exponential(0.5, n_false)])
        own = own[own >= floor]
        levels.append(own)
        places.append(np.full(len(own), place))
    return np.concatenate(levels), np.concatenate(places)


def absent(levels, places, n_places, *, size=10.0):
    expected = np.full((1, n_places), size)
    return absent_places(np.zeros(len(levels), np.int64), places, levels, expected=expected, match_threshold=5.0)[
        0
    ].tolist()


@pytest.mark.parametrize("seed", range(5))
def test_shares_are_those_of_the_mixture(seed):
    levels, places = matches(seed, spikes=(200, 100, 0), false=(0, 100, 200))
    share = spike_shares(levels, places, np.full(3, 10.0), np.full(3, 5.0), 2.0)
    np.testing.assert_allclose(share, [1.0, 0.5, 0.0], atol=0.08)


@pytest.mark.parametrize("seed", range(5))
def test_a_unit_is_absent_where_all_matches_are_false_alarms(seed):
    levels, places = matches(seed, spikes=(60, 60, 0, 0), false=(10, 10, 40, 40))
    assert absent(levels, places, 4) == [False, False, True, True]


@pytest.mark.parametrize("seed", range(5))
def test_a_small_unit_with_equal_false_alarms_everywhere_fires_everywhere(seed):
    levels, places = matches(seed, spikes=(40, 40, 40), false=(120, 120, 120), size=7.0)
    assert not any(absent(levels, places, 3, size=7.0))


def test_a_unit_that_fires_less_somewhere_still_fires_there():
    levels, places = matches(0, spikes=(200, 12), false=(10, 3))
    assert absent(levels, places, 2) == [False, False]


def test_spikes_are_judged_by_the_size_of_the_template_at_each_place():
    """Spikes that are small where the template is large are large where it is small."""
    rng = np.random.default_rng(1)
    levels = np.concatenate([rng.normal(14, 1.2, 100), rng.normal(8, 1.2, 100)])
    places, expected = np.repeat([0, 1], 100), np.array([[14.0, 8.0]])
    levels = np.maximum(levels, 5.0)
    found = absent_places(np.zeros(200, np.int64), places, levels, expected=expected, match_threshold=5.0)
    assert not found.any()


def test_with_too_few_matches_a_unit_counts_as_present():
    levels, places = matches(0, spikes=(6, 0), false=(0, 6))
    assert absent(levels, places, 2) == [False, False]
    assert np.isnan(spike_shares(levels, places, np.full(2, 10.0), np.full(2, 5.0), 2.0)).all()


def test_units_do_not_mix():
    levels, places = matches(0, spikes=(60, 0), false=(10, 40))
    units = np.concatenate([np.zeros(len(levels), np.int64), np.ones(len(levels), np.int64)])
    both = np.concatenate([places, 1 - places])
    order = np.random.default_rng(0).permutation(len(units))
    found = absent_places(
        units[order], both[order], np.tile(levels, 2)[order], expected=np.full((2, 2), 10.0), match_threshold=5.0
    )
    assert found.tolist() == [[False, True], [True, False]]


def test_expected_levels_follow_from_amplitude_and_gain():
    """A spike of any size gives the level of one of size 1; the gain is that of the matcher's objective."""
    energy, noise_gain, std = 200.0, 2.0, 0.1
    precision = noise_gain / std**2
    sizes = np.array([0.8, 1.0, 1.3])
    amplitude = (sizes * energy + precision) / (energy + precision)
    gain = (amplitude * (sizes * energy + precision) - precision) / noise_gain
    level = expected_levels(np.array([2, 2, 2]), amplitude, gain, n_cells=4, noise_gain=noise_gain, amplitude_std=std)
    np.testing.assert_allclose(level, [0, 0, np.sqrt(energy / noise_gain), 0], rtol=1e-9)
