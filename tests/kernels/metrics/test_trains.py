"""Statistics of each unit are those of its own train."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from xephys.kernels.metrics import trains as trains_of_units
from xephys.kernels.metrics.refractory import is_refractory, refractoriness
from xephys.kernels.metrics.spike_trains import refractory_contamination
from xephys.kernels.metrics.trains import refractory_contaminations, refractory_ratios, split_trains, unit_medians

RATE, DURATION = 30_000, 3_000_000


@pytest.fixture(scope="module")
def spikes():
    """Unit 0 keeps a refractory period, unit 1 does not, unit 2 has no spikes; some spikes belong to no unit."""
    rng = np.random.default_rng(0)
    regular = np.cumsum(rng.integers(150, 3000, 1500))
    random = rng.integers(0, DURATION, 1500)
    samples = np.concatenate([regular, random, rng.integers(0, DURATION, 40)])
    units = np.repeat([0, 1, -1], [1500, 1500, 40])
    order = rng.permutation(len(samples))
    return samples[order], units[order]


def test_trains_are_the_sorted_samples_of_each_unit(spikes):
    samples, units = spikes
    trains = split_trains(samples, units, n_units=3)
    assert len(trains) == 3
    for unit, train in enumerate(trains):
        assert train.tolist() == sorted(samples[units == unit].tolist())


def test_trains_do_not_depend_on_the_blocks_in_which_spikes_are_split(spikes, monkeypatch):
    whole = split_trains(*spikes, n_units=2)
    monkeypatch.setattr(trains_of_units, "row_blocks", partial(trains_of_units.row_blocks, size=100))
    for one, same in zip(split_trains(*spikes, n_units=2), whole, strict=True):
        assert one.tolist() == same.tolist()
    first, *_ = split_trains(spikes[0], spikes[1].astype(np.int32), n_units=1)  # spikes of later units are left out
    assert first.tolist() == whole[0].tolist()


def test_contamination_of_each_train(spikes):
    limits = {"duration_samples": DURATION, "refractory_samples": 45, "censored_samples": 15}
    found = refractory_contaminations(*spikes, n_units=3, **limits)
    trains = split_trains(*spikes, n_units=3)
    np.testing.assert_array_equal(found, [refractory_contamination(train, **limits) for train in trains])
    assert found[0] == 0 < found[1]
    assert np.isnan(found[2])


def test_refractory_period_of_each_train(spikes):
    ratio, good = refractory_ratios(*spikes, n_units=3, bin_samples=30, ratio_max=0.2, chance_max=0.2)
    each = [refractoriness(train, bin_samples=30) for train in split_trains(*spikes, n_units=3)]
    assert ratio.tolist() == [one.ratio for one in each]
    assert good.tolist() == [is_refractory(one, ratio_max=0.2, chance_max=0.2) for one in each] == [True, False, False]


def test_median_of_each_unit(spikes):
    samples, units = spikes
    values = np.sqrt(samples).astype(np.float32)
    medians = unit_medians(values, units, n_units=2)
    assert medians.dtype == np.float32
    assert medians.tolist() == [np.median(values[units == unit]) for unit in range(2)]


def test_no_units():
    nothing = np.zeros(0, np.int64)
    assert split_trains(nothing, nothing, n_units=0) == []
    ratio, good = refractory_ratios(nothing, nothing, n_units=0, bin_samples=30, ratio_max=0.2, chance_max=0.2)
    assert ratio.dtype == np.float64 and good.dtype == bool and not ratio.size and not good.size
