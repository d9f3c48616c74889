"""Metrics of the distribution of amplitudes."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.metrics.amplitude_shape import (
    amplitude_cutoff,
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


@pytest.mark.parametrize("quantile", [0.05, 0.15, 0.3])
def test_missing_spikes_are_counted(quantile: float) -> None:
    amplitudes = np.random.default_rng(0).normal(100, 12, 50_000)
    kept = amplitudes[amplitudes > np.quantile(amplitudes, quantile)]
    assert amplitude_cutoff(kept) == pytest.approx(quantile, abs=0.06)
    assert amplitude_cutoff(-kept) == amplitude_cutoff(kept)


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
