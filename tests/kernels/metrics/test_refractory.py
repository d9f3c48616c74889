"""Statistics of the center of a correlogram equal a plain loop, and are correct on trains of known origin."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import erf

from xephys.kernels.metrics.refractory import is_refractory, refractoriness

BIN = 30


def renewal(seed, *, rate_hz=20.0, duration_s=120.0, refractory_ms=3.0):
    """A train with a refractory period."""
    rng = np.random.default_rng(seed)
    gaps = refractory_ms * 30 + rng.exponential(30_000 / rate_hz, int(2 * rate_hz * duration_s))
    samples = np.cumsum(gaps).astype(np.int64)
    return samples[samples < duration_s * 30_000]


def reference(first, second=None):
    other = first if second is None else second
    lags = (other[:, None] - first[None]).ravel()
    if second is None:
        lags = (other[:, None] - first[None])[~np.eye(len(first), dtype=bool)]
    counts = np.array(
        [((lags >= b * BIN - BIN // 2) & (lags < b * BIN + BIN // 2)).sum() for b in range(-501, 502)], float
    )
    zero = 501
    far = np.mean([counts[zero + s * k] for k in range(251, 500) for s in (-1, 1)])
    left = np.mean([counts[zero - k] for k in range(11, 51)])
    right = np.mean([counts[zero + k] for k in range(10, 50)])
    shoulder, ratios, chances = max(far, left, right), [], []
    for width in range(1, 11):
        both = sum(counts[zero + s * k] for k in range(1, width + 1) for s in (-1, 1))
        expected = shoulder * width
        ratios.append(both / (2 * expected))
        chances.append(0.5 * (1 + erf((both / 2 - expected) / np.sqrt(2 * expected))))
    return np.array(ratios), np.array(chances)


@pytest.mark.parametrize("pair", [False, True])
def test_statistics_equal_those_of_every_pair_of_spikes(pair):
    first, second = renewal(0, duration_s=20), renewal(1, duration_s=20) if pair else None
    found = refractoriness(first, second, bin_samples=BIN)
    ratios, chances = reference(first, second)
    np.testing.assert_allclose(found.ratios, ratios)
    np.testing.assert_allclose(found.chances, chances, atol=1e-12)


def test_a_neuron_is_refractory_and_its_halves_together_too():
    train = renewal(0)
    halves = train[::2], train[1::2]
    assert is_refractory(refractoriness(train, bin_samples=BIN), ratio_max=0.2, chance_max=0.2)
    assert is_refractory(refractoriness(*halves, bin_samples=BIN), ratio_max=0.25, chance_max=0.05)


@pytest.mark.parametrize("seed", range(5))
def test_two_neurons_are_not_refractory(seed):
    found = refractoriness(renewal(2 * seed), renewal(2 * seed + 1), bin_samples=BIN)
    assert not is_refractory(found, ratio_max=0.25, chance_max=0.05)


def test_two_slow_neurons_are_not_taken_for_one():
    """Few counts are low by chance at some width, so both statistics must be low at one width."""
    merged = 0
    for seed in range(60):
        pair = [renewal(100 + 2 * seed + k, rate_hz=4.0, duration_s=60.0) for k in (0, 1)]
        merged += is_refractory(refractoriness(*pair, bin_samples=BIN), ratio_max=0.25, chance_max=0.01)
    assert merged == 0


@pytest.mark.parametrize("train", [[], [5], [5, 5, 5], [0, 10**9]])
def test_uninformative_trains_are_not_refractory(train):
    samples = np.array(train, np.int64)
    found = refractoriness(samples, bin_samples=BIN)
    assert found.ratio == 1.0
    assert not is_refractory(found, ratio_max=0.25, chance_max=0.2)
    with pytest.raises(ValueError, match="bin_samples is 0"):
        refractoriness(samples, bin_samples=0)
