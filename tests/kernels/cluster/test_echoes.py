"""The share of a cluster that comes with the spikes of one unit, beyond chance."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.cluster.echoes import echoes, mean_likeness, spikes_that_left

N_SAMPLES, WINDOW = 600_000, 30


def reference(samples, labels, spike_samples, spike_units):
    shares = []
    for cluster in range(labels.max() + 1):
        own, best = samples[labels == cluster], 0.0
        for unit in range(spike_units.max() + 1):
            train = spike_samples[spike_units == unit]
            hits = sum(bool((np.abs(train - sample) <= WINDOW).any()) for sample in own)
            chance = len(own) * min(1.0, len(train) / N_SAMPLES * (2 * WINDOW + 1))
            best = max(best, (hits - chance) / len(own))
        shares.append(best)
    return shares


def test_shares_equal_a_count_one_by_one():
    rng = np.random.default_rng(0)
    spike_samples = np.sort(rng.integers(0, N_SAMPLES, 3000))
    spike_units = rng.integers(0, 4, 3000)
    beside = spike_samples[spike_units == 2][::5] + rng.integers(-WINDOW, WINDOW + 1, 1)
    samples = np.concatenate([rng.integers(0, N_SAMPLES, 200), beside])
    labels = np.concatenate([rng.integers(0, 2, 200), np.full(len(beside), 2)])
    order = np.argsort(samples, kind="stable")
    samples, labels = samples[order], labels[order]
    shares, units = echoes(
        samples, labels, spike_samples, spike_units, window_samples=WINDOW, duration_samples=N_SAMPLES
    )
    assert shares == pytest.approx(reference(samples, labels, spike_samples, spike_units))
    assert (shares[2] > 0.8, units[2]) == (True, 2)
    assert shares[:2].max() < 0.2


def test_without_spikes_nothing_is_an_echo():
    none = np.empty(0, np.int64)
    limits = {"window_samples": 9, "duration_samples": 99}
    assert echoes(np.array([3]), np.array([0]), none, none, **limits)[0].tolist() == [0]
    assert not len(echoes(none, none, none, none, **limits)[0])


def test_every_peak_has_its_nearest_spike():
    rng = np.random.default_rng(1)
    spikes = np.sort(rng.choice(N_SAMPLES // 100, 1000, replace=False)) * 100
    own = np.sort(rng.choice(1000, 40, replace=False))
    peaks = np.sort(spikes[own] + rng.integers(-WINDOW, WINDOW + 1, 40))
    found = spikes_that_left(np.append(peaks, 2 * N_SAMPLES), spikes, window_samples=WINDOW)
    assert found.tolist() == own.tolist()
    assert not len(spikes_that_left(peaks, spikes[:0], window_samples=WINDOW))


@pytest.mark.parametrize(("shape", "alike"), [([14, 8, 3, 0], True), ([6, 8, 9, 4], False)])
def test_a_difference_of_size_is_not_one_of_shape(shape, alike):
    rng = np.random.default_rng(1)
    others, own = np.array([9, 5, 2, 0]) + rng.standard_normal((500, 4)), shape + rng.standard_normal((40, 4))
    likeness = mean_likeness(own[..., None].astype(np.float32), others[..., None].astype(np.float32))
    assert (likeness > 0.95) == alike
