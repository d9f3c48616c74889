"""A random choice of spikes that depends on the spikes alone."""

from __future__ import annotations

import numpy as np

from xephys.kernels.analysis.choice import chosen_spikes, spike_lots


def spikes() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return np.sort(rng.integers(0, 10**9, 3000)), rng.integers(0, 2, 3000), rng.integers(0, 4, 3000)


def test_units_give_the_wanted_number_of_spikes_or_all() -> None:
    samples, segments, units = spikes()
    lots = spike_lots(samples, segments, seed=1)
    assert np.bincount(units[chosen_spikes(units, lots, n_units=4, n_spikes_max=100)]).tolist() == [100] * 4
    assert chosen_spikes(units, lots, n_units=4, n_spikes_max=3000).all()


def test_a_unit_alone_or_under_another_number_keeps_its_choice() -> None:
    samples, segments, units = spikes()
    lots = spike_lots(samples, segments, seed=1)
    everything = chosen_spikes(units, lots, n_units=4, n_spikes_max=50)
    own = units == 2
    alone = chosen_spikes(np.zeros(own.sum(), int), lots[own], n_units=1, n_spikes_max=50)
    np.testing.assert_array_equal(everything[own], alone)


def test_random_numbers_are_uniform_and_differ_by_seed_and_segment() -> None:
    samples = np.arange(20_000)
    lots = spike_lots(samples, np.zeros(20_000, int), seed=0)
    assert abs((lots / 2.0**64).mean() - 0.5) < 0.01
    assert len(np.unique(lots)) == 20_000
    assert not np.any(lots == spike_lots(samples, np.zeros(20_000, int), seed=1))
    assert not np.any(lots == spike_lots(samples, np.ones(20_000, int), seed=0))


def test_no_spikes() -> None:
    none = np.zeros(0, int)
    assert chosen_spikes(none, spike_lots(none, none, seed=0), n_units=2, n_spikes_max=5).shape == (0,)
