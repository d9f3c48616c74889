"""Metrics of spike trains, compared with values computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.metrics.spike_trains import refractory_contamination
from xephys.metrics.facts import UnitFacts
from xephys.metrics.spike_trains import contamination, firing_rate, num_spikes


def facts():
    rng = np.random.default_rng(0)
    samples = np.sort(rng.integers(0, 60_000, 900))
    return UnitFacts(
        sample_index=samples, unit_index=rng.integers(0, 2, 900), n_units=3, n_samples=60_000,
        sampling_frequency=30_000.0, amplitude=np.ones(3), noise=np.ones(3),
    )  # fmt: skip


def test_counts_and_rates():
    given = facts()
    own = [(given.unit_index == unit).sum() for unit in range(3)]
    assert num_spikes(given).tolist() == own
    assert firing_rate(given).tolist() == [n / 2.0 for n in own]
    assert own[2] == 0


def test_contamination_is_that_of_each_train():
    given = facts()
    found = contamination(given)
    for unit in range(2):
        train = given.sample_index[given.unit_index == unit]
        expected = refractory_contamination(train, duration_samples=60_000, refractory_samples=45, censored_samples=15)
        assert found[unit] == pytest.approx(expected)
    assert np.isnan(found[2])
