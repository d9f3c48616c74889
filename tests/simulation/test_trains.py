"""Spike trains are refractory, bursting, partial and synchronous as configured."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.errors import ParameterError
from xephys.simulation.config import make_config
from xephys.simulation.truth import Truth


def test_trains_are_refractory_and_within_the_recording():
    config = make_config("hard", n_channels=32, n_units=30, duration_s=60.0, rate_median_hz=10.0)
    truth = Truth(config)
    refractory = truth.scene.population.refractory_ms
    assert refractory.min() >= 1.5
    time, unit = truth.scene.trains.time / config.sampling_frequency, truth.scene.trains.unit
    assert np.all(np.diff(time) >= 0) and time[0] > 0 and time[-1] < config.duration_s
    for u in range(30):
        assert np.diff(time[unit == u]).min() * 1000 >= refractory[u] - 1e-6


def test_spikes_of_bursts_get_smaller_and_wider():
    truth = Truth(make_config("hard", n_channels=32, n_units=20, duration_s=60.0, bursting_fraction=1.0))
    trains, population = truth.scene.trains, truth.scene.population
    for u in np.flatnonzero(population.bursting)[:5]:
        mine = trains.unit == u
        follows = np.diff(trains.time[mine], prepend=-np.inf) < 0.008 * 30_000
        assert follows.mean() > 0.15
        scale, stretch = trains.scale[mine], trains.stretch[mine]
        assert scale[follows].mean() < 0.9 * scale[~follows].mean()
        assert stretch[follows].mean() > stretch[~follows].mean() + 0.05
        assert stretch.max() <= 1.3


def test_partial_units_are_silent_for_a_time_and_partners_fire_together():
    config = make_config(
        "hard", n_channels=32, n_units=20, duration_s=120.0, partial_fraction=0.3, synchronous_fraction=0.3
    )
    truth = Truth(config)
    population, trains = truth.scene.population, truth.scene.trains
    span = lambda u: np.ptp(trains.time[trains.unit == u]) / 30_000  # noqa: E731
    assert population.partial.sum() == 6
    assert max(span(u) for u in np.flatnonzero(population.partial & (population.partner < 0))) < 0.62 * 120
    assert min(span(u) for u in np.flatnonzero(~population.partial)) > 0.6 * 120
    paired = np.flatnonzero(population.partner >= 0)
    assert len(paired) >= 3
    for u in paired:
        a, b = (trains.time[trains.unit == v] for v in (u, population.partner[u]))
        near, later = (np.abs(b[:, None] - (a + d)[None]).min(axis=1) < 30 for d in (0, 3000))
        assert near.mean() > 0.05 > later.mean()


def test_partners_share_the_requested_number_of_spikes():
    config = make_config(
        "easy", n_channels=32, n_units=8, duration_s=120.0, synchronous_fraction=1.0, synchronous_share=(0.4, 0.4)
    )
    truth = Truth(config)
    population, trains = truth.scene.population, truth.scene.trains
    for u in np.flatnonzero(population.partner >= 0):
        a, b = (trains.time[trains.unit == v] for v in (u, population.partner[u]))
        near = np.abs(b[:, None] - a[None]).min(axis=1) < 30
        assert 0.33 < near.mean() < 0.5
    with pytest.raises(ParameterError, match="synchronous_share"):
        make_config("easy", synchronous_share=(0.5, 0.1))
