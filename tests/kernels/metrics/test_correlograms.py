"""Pairs and intervals of spikes equal readable references."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from xephys.kernels.metrics.correlograms import (
    add_intervals,
    add_own_pairs,
    add_pairs,
    rate_correlogram,
    rate_correlograms,
    rates_at_spikes,
)


def spikes() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return np.sort(rng.integers(0, 4000, 300)), rng.integers(0, 3, 300)


def test_every_pair_is_counted_in_its_bin() -> None:
    samples, units = spikes()
    counts = np.zeros((3, 3, 8), np.int64)
    add_pairs(counts, samples, units, np.ones(3, bool), 7, 4)
    expected = np.zeros_like(counts)
    for i in range(300):
        for j in range(300):
            lag = samples[i] - samples[j]
            if i != j and -28 <= lag < 28:
                expected[units[i], units[j], 4 + lag // 7] += 1
    np.testing.assert_array_equal(counts, expected)
    own = np.zeros((3, 8), np.int64)
    order = np.argsort(units, kind="stable")
    add_own_pairs(own, samples[order], np.searchsorted(units[order], np.arange(4)), 7, 4)
    np.testing.assert_array_equal(own, counts[np.arange(3), np.arange(3)])


def test_pairs_of_unselected_units_are_left_out() -> None:
    samples, units = spikes()
    everything, some = np.zeros((3, 3, 8), np.int64), np.zeros((3, 3, 8), np.int64)
    add_pairs(everything, samples, units, np.ones(3, bool), 7, 4)
    add_pairs(some, samples, units, np.array([False, True, False]), 7, 4)
    np.testing.assert_array_equal(some[1], everything[1])
    assert not some[0, 2].any()


def test_intervals_equal_a_histogram() -> None:
    samples, units = spikes()
    order = np.argsort(units, kind="stable")
    counts = np.zeros((3, 10), np.int64)
    add_intervals(counts, samples[order], np.searchsorted(units[order], np.arange(4)), 5)
    for unit in range(3):
        expected, _ = np.histogram(np.diff(samples[units == unit]), np.arange(0, 55, 5))
        np.testing.assert_array_equal(counts[unit], expected)


def test_a_regular_train_peaks_at_its_period() -> None:
    train = np.arange(0, 600_000, 600)
    acg, rates = rate_correlogram([train], bin_samples=30, bin_ms=1.0, n_half=25, n_quantiles=3, smooth_ms=100.0)
    assert np.flatnonzero(acg.sum(axis=0)).tolist() == [5, 45]
    np.testing.assert_allclose(rates, 50.0, rtol=0.05)


@pytest.mark.parametrize("size", [0, 1, 4, 25])
def test_rates_equal_an_average_over_all_bins(size: int) -> None:
    """Also for spikes in one bin, and for windows that reach beyond the ends."""
    bins = np.sort(np.random.default_rng(size).integers(3, 400, 60))
    n_bins, half = bins[-1] + 1, size // 2
    middles = bins[:-1] + np.diff(bins) // 2
    rate = np.zeros(n_bins)
    for first, last in pairwise(middles):
        rate[first:last] = 1 / ((last - first) * 0.001) if last > first else 0
    expected = []
    for spike in bins:
        if size == 0:
            around = rate[spike : spike + 1]
        elif spike < size or spike >= n_bins - size:
            around = rate[max(0, spike - half) : spike + half]
        else:
            around = rate[spike + (size - 1) // 2 - size + 1 :][:size]
        expected.append(around.mean() if len(around) else 0.0)
    np.testing.assert_allclose(rates_at_spikes(bins, 0.001, size), expected, rtol=1e-12)


def test_lags_around_a_spike_are_counted_once_per_bin() -> None:
    train = np.sort(np.random.default_rng(5).integers(0, 200, 80)) * 10
    bins = train // 20
    acg, _ = rate_correlogram([train], bin_samples=20, bin_ms=1.0, n_half=4, n_quantiles=1, smooth_ms=0.0)
    counted = [spike for spike in bins if 4 <= spike < bins[-1]]
    for lag in (-4, -1, 2, 4):
        assert acg[0, 4 + lag] == pytest.approx(np.isin(np.array(counted) + lag, bins).mean())


def test_no_spikes() -> None:
    empty = (np.zeros(0, np.int64), np.zeros(3, np.int64))
    acgs, rates = rate_correlograms(
        [empty], n_units=2, bin_samples=30, bin_ms=1.0, n_half=5, n_quantiles=2, smooth_ms=50.0
    )
    assert not acgs.any()
    assert not rates.any()
