"""Refractory violations equal readable counts, and known shares of foreign spikes are recovered."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.metrics.violations import (
    isi_violations_ratio,
    near_pairs,
    rp_contaminations,
    short_intervals,
    sliding_violations,
)


def trains() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    parts = [np.sort(rng.integers(0, 30_000, n)) for n in (300, 0, 1, 500)]
    return np.concatenate(parts), np.cumsum([0, *map(len, parts)])


def test_counts() -> None:
    samples, bounds = trains()
    short, near = short_intervals(samples, bounds, 45.0), near_pairs(samples, bounds[:-1], bounds[1:], 30)
    for unit in range(4):
        train = samples[bounds[unit] : bounds[unit + 1]]
        assert short[unit] == (np.diff(train) < 45).sum()
        apart = train[None] - train[:, None]
        assert near[unit] == (np.triu(apart <= 30, 1)).sum()


def refractory(rng: np.random.Generator, rate_hz: float, duration_s: float) -> np.ndarray:
    gaps = 0.004 + rng.exponential(1 / rate_hz - 0.004, int(2 * rate_hz * duration_s))
    times = np.cumsum(gaps)
    return (times[times < duration_s] * 30_000).astype(np.int64)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
def test_the_share_of_foreign_spikes_is_recovered(share: float) -> None:
    rng = np.random.default_rng(1)
    own = refractory(rng, 40 * (1 - share), 2000.0)
    foreign = rng.integers(0, 60_000_000, int(len(own) * share / (1 - share)))
    train = np.sort(np.concatenate([own, foreign]))
    n, bounds = np.array([len(train)]), np.array([0, len(train)])
    found = rp_contaminations(
        near_pairs(train, bounds[:-1], bounds[1:], 60),
        n,
        total_samples=60_000_000,
        refractory_samples=60,
        censored_samples=0,
    )
    assert found[0] == pytest.approx(share, abs=0.03)
    short = short_intervals(train, bounds, 60.0)
    ratio = isi_violations_ratio(short, n, duration_s=2000.0, threshold_s=0.002)
    assert ratio[0] == pytest.approx(share * (1 - share) + share**2 / 2, abs=0.05)


def test_limits() -> None:
    found = rp_contaminations(
        np.array([0, 0, 10**6]), np.array([0, 1, 100]), total_samples=30_000, refractory_samples=30, censored_samples=0
    )
    np.testing.assert_array_equal(found, [np.nan, np.nan, 1.0])
    assert np.isnan(isi_violations_ratio(np.array([0]), np.array([0]), duration_s=1.0, threshold_s=0.001)[0])


def test_sliding_limits_rise_with_violations_and_need_spikes() -> None:
    counts = np.zeros((3, 40), np.int64)
    counts[1] = 1
    found = sliding_violations(counts, np.array([5000, 5000, 5]), duration_s=1000.0, bin_s=0.25e-3, exclude_s=0.5e-3)
    assert found[0] < found[1]
    assert np.isnan(found[2])
