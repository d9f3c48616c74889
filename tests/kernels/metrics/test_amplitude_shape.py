"""Metrics of the distribution of amplitudes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from xephys.kernels.metrics.amplitude_shape import (
    amplitude_cutoffs,
    amplitude_spreads,
    first_of_near,
    noise_cutoff,
    noise_cutoffs,
    over_units,
    sd_ratio,
    sd_ratios,
    spreads_of_units,
    upright,
)


def amplitude_cutoff(amplitudes: np.ndarray) -> float:
    return float(amplitude_cutoffs(amplitudes, np.array([0]), np.array([len(amplitudes)]))[0])


@pytest.mark.parametrize("quantile", [0.05, 0.15, 0.3])
def test_missing_spikes_are_counted(quantile: float) -> None:
    amplitudes = np.random.default_rng(0).normal(100, 12, 50_000)
    kept = amplitudes[amplitudes > np.quantile(amplitudes, quantile)]
    assert amplitude_cutoff(kept) == pytest.approx(quantile, abs=0.06)
    assert amplitude_cutoff(-kept) == amplitude_cutoff(kept)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_bins", [50, 100])
def test_cutoffs_of_ranges_equal_those_of_numpys_histograms(dtype: type, n_bins: int) -> None:
    """Also of negative amplitudes, of values on the edges of bins, and of equal ones."""
    rng = np.random.default_rng(n_bins)
    parts = [rng.normal(100, 10, 900), -rng.normal(90, 9, 700), rng.integers(1, n_bins, 800), np.full(600, 7.0)]
    amplitudes = np.concatenate(parts).astype(dtype)
    starts, stops = np.array([0, 900, 1600, 2400, 300, 0]), np.array([900, 1600, 2400, 3000, 1200, 20])
    expected = []
    for a, b in zip(starts, stops, strict=True):
        values = upright(amplitudes[a:b])
        heights = gaussian_filter1d(np.histogram(values, n_bins)[0], 3.0, mode="nearest")
        missing = heights[np.flatnonzero(heights >= heights[0])[-1] + 1 :].sum()
        expected.append(min(missing / (b - a + missing), 0.5) if b - a >= 5 * n_bins else np.nan)
    np.testing.assert_array_equal(amplitude_cutoffs(amplitudes, starts, stops, n_bins=n_bins), expected)


def test_too_few_spikes_give_no_value() -> None:
    assert np.isnan(amplitude_cutoff(np.arange(499.0)))


def test_a_cut_distribution_has_a_high_low_end() -> None:
    amplitudes = np.random.default_rng(1).normal(100, 10, 20_000)
    whole, cut = noise_cutoff(amplitudes), noise_cutoff(amplitudes[amplitudes > 92])
    assert cut[0] > whole[0] + 1
    assert cut[1] > 2 * whole[1]
    np.testing.assert_array_equal(noise_cutoffs(amplitudes, np.array([0, 20_000, 20_000]))[0], whole)


def test_spread_in_bins_ignores_slow_changes() -> None:
    rng = np.random.default_rng(2)
    train = np.sort(rng.integers(0, 3_000_000, 5000))
    steady = rng.normal(100, 10, 5000)
    drifting = steady * np.linspace(0.5, 1.5, 5000)
    n = np.array([3_000_000])
    assert amplitude_spreads([train], [steady], n)[0] == pytest.approx(0.1, rel=0.1)
    assert amplitude_spreads([train], [drifting], n)[0] == pytest.approx(0.1, rel=0.15)
    assert np.isnan(amplitude_spreads([train[:100]], [steady[:100]], n)).all()
    both = spreads_of_units(train, steady, np.array([[0, 5000], [5000, 5000]]), n)
    assert np.isnan(both[1]).all()
    assert both[0, 0] == amplitude_spreads([train], [steady], n)[0]


def test_spikes_that_follow_the_last_kept_one() -> None:
    rng = np.random.default_rng(3)
    train = np.sort(rng.integers(0, 5000, 300))
    kept, last = [], -(10**9)
    for sample in train:
        kept.append(sample - last > 25)
        last = sample if kept[-1] else last
    assert first_of_near(train, 25).tolist() == kept


def test_spread_over_noise() -> None:
    rng = np.random.default_rng(4)
    steady = rng.normal(100, 10, 4000)
    drifting = steady + np.linspace(0, 200, 4000)
    zero = np.zeros(90)
    for amplitudes in (steady, drifting):
        assert sd_ratio(amplitudes, noise_std=10.0, template=zero, spikes_a_sample=0.0) == pytest.approx(1, abs=0.05)
    assert sd_ratio(steady[:1], noise_std=1.0, template=zero, spikes_a_sample=0.0) == 0
    assert np.isnan(sd_ratio(steady[:0], noise_std=1.0, template=zero, spikes_a_sample=0.0))
    template = np.full(90, -50.0)
    assert np.isnan(sd_ratio(steady, noise_std=1.0, template=template, spikes_a_sample=0.005))
    found = sd_ratios(
        np.arange(4000) * 1000, steady, np.array([[0, 4000]]), censored_samples=120, noise_std=np.array([10.0]),
        templates=zero[None], total_samples=4_000_000,
    )  # fmt: skip
    assert found[0] == sd_ratio(steady, noise_std=10.0, template=zero, spikes_a_sample=0.001)


def test_functions_over_units() -> None:
    assert over_units(np.array([5.0, 1.0]), np.array([0, 0, 2]), np.max).tolist()[1] == 5.0
    assert upright(np.array([-3.0, -1.0])).tolist() == [3.0, 1.0]


@pytest.mark.parametrize("seed", range(5))
def test_cutoffs_as_in_spikeinterface(seed: int) -> None:
    from spikeinterface.metrics.quality import misc_metrics as si

    rng = np.random.default_rng(seed)
    amplitudes = rng.normal(100, 10, 3000).astype(np.float32)
    amplitudes = amplitudes[amplitudes > np.quantile(amplitudes, 0.1 * seed)]
    assert amplitude_cutoff(amplitudes) == pytest.approx(si.amplitude_cutoff(amplitudes), abs=1e-12)
    np.testing.assert_allclose(noise_cutoff(amplitudes), si._noise_cutoff(amplitudes))
