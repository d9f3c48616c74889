"""Correlograms equal counts of all pairs; contamination is correct on trains of known composition."""

from __future__ import annotations

import math

import numpy as np
import pytest

from xephys.kernels.metrics.spike_trains import (
    are_two_neurons,
    coincidences,
    correlogram_counts,
    refractory_contamination,
    sliding_contamination,
)


def all_pairs(first, second, bin_samples, lag_max, same):
    counts = np.zeros(2 * lag_max // bin_samples, int)
    for i, a in enumerate(first):
        for j, b in enumerate(second):
            if -lag_max <= b - a < lag_max and not (same and i == j):
                counts[(b - a + lag_max) // bin_samples] += 1
    return counts


@pytest.mark.parametrize("bin_samples", [1, 7, 50])
def test_counts_equal_all_pairs(bin_samples):
    rng = np.random.default_rng(bin_samples)
    first, second = np.sort(rng.integers(0, 2000, 150)), np.sort(rng.integers(0, 2000, 90))
    lag = 6 * bin_samples
    got = correlogram_counts(first, second, bin_samples=bin_samples, lag_samples_max=lag)
    np.testing.assert_array_equal(got, all_pairs(first, second, bin_samples, lag, False))
    got = correlogram_counts(first, bin_samples=bin_samples, lag_samples_max=lag)
    np.testing.assert_array_equal(got, all_pairs(first, first, bin_samples, lag, True))


def test_empty_trains():
    none = np.zeros(0, np.int64)
    assert correlogram_counts(none, none, bin_samples=1, lag_samples_max=3).sum() == 0
    assert np.isnan(refractory_contamination(none, duration_samples=1, refractory_samples=30))
    assert coincidences(none, none, refractory_samples=30, dead_samples=0, duration_samples=100) == (0, 0.0)


@pytest.mark.parametrize(("bin_samples", "lag_max"), [(0, 10), (3, 10), (5, 0)])
def test_impossible_bins(bin_samples, lag_max):
    with pytest.raises(ValueError, match="multiple of the bin"):
        correlogram_counts(np.array([1]), bin_samples=bin_samples, lag_samples_max=lag_max)


def test_coincidences_equal_all_pairs():
    rng = np.random.default_rng(4)
    first, second = np.sort(rng.integers(0, 9000, 400)), np.sort(rng.integers(0, 9000, 300))
    lags = np.abs(second[None] - first[:, None])
    observed, expected = coincidences(first, second, refractory_samples=40, dead_samples=10, duration_samples=9000)
    assert observed == ((lags >= 10) & (lags < 40)).sum()
    assert expected == pytest.approx(observed, rel=0.1)


def refractory_train(rng, n_spikes, duration, refractory):
    gaps = refractory + rng.exponential(duration / n_spikes - refractory, n_spikes)
    train = np.cumsum(gaps).astype(np.int64)
    return train[train < duration]


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.3])
def test_contamination_is_recovered(fraction):
    # Foreign spikes are a Poisson train of many neurons, so pairs among them count too, as the formula assumes.
    rng = np.random.default_rng(6)
    duration = 30_000 * 1200
    own = refractory_train(rng, 20_000, duration, 90)
    foreign = rng.integers(0, duration, int(len(own) * fraction / (1 - fraction)))
    train = np.sort(np.r_[own, foreign])
    found = refractory_contamination(train, duration_samples=duration, refractory_samples=45)
    assert found == pytest.approx(fraction, abs=0.03)
    sliding = sliding_contamination(train, duration_samples=duration, sampling_frequency_hz=30_000)
    assert fraction - 0.02 <= sliding <= fraction + 0.06


def test_contamination_follows_the_formula():
    rng = np.random.default_rng(8)
    train = np.sort(rng.integers(0, 300_000, 900))
    violations = sum(int((train[i + 1 :] - train[i] <= 30).sum()) for i in range(len(train)))
    root = 1 - violations * (300_000 - 2 * 900 * 5) / (900**2 * (30 - 5))
    found = refractory_contamination(train, duration_samples=300_000, refractory_samples=30, censored_samples=5)
    assert found == (1.0 if root < 0 else pytest.approx(1 - np.sqrt(root), rel=1e-12))


def test_a_train_of_violations_is_fully_contaminated():
    train = np.arange(0, 300, 3)
    assert refractory_contamination(train, duration_samples=30_000, refractory_samples=30) == 1.0
    assert np.isnan(sliding_contamination(train, duration_samples=30_000, sampling_frequency_hz=30_000))


def test_a_censored_period_beyond_the_refractory_one_is_refused():
    with pytest.raises(ValueError, match="censored_samples is 30"):
        refractory_contamination(np.array([1, 9]), duration_samples=99, refractory_samples=30, censored_samples=30)


@pytest.mark.parametrize("expected", [0.5, 4.0, 30.0])
def test_two_neurons_coincide_more_than_pieces_of_one_could(expected):
    """By the terms of the Poisson distribution with 0.3 of the pairs that independent trains have."""
    rate = 0.3 * expected
    for observed in range(40):
        fewer = sum(math.exp(-rate) * rate**n / math.factorial(n) for n in range(observed))
        assert are_two_neurons(observed, expected) == (observed > 0 and 1 - fewer < 0.01)
    assert not are_two_neurons(0, expected) and not are_two_neurons(0, 0.0)
