"""Metrics of units: values computed by hand, the types that the table declares, and the columns of empty sortings."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.errors import ParameterError
from xephys.metrics.facts import UnitFacts
from xephys.metrics.table import METRICS, compute_columns, empty_columns, unit_variables

RATE, SECONDS = 30_000, 10


def facts(**changes):
    """Two units that fire every 20 ms; half of the spikes of one are followed by an intruder after 1 ms."""
    regular = np.arange(300, SECONDS * RATE, 600)
    intruders = regular[::2] + 30
    samples = np.concatenate([regular, regular + 150, intruders + 150])
    units = np.repeat([0, 1, 1], [len(regular), len(regular), len(intruders)])
    order = np.argsort(samples, kind="stable")
    given = {
        "sample_index": samples[order], "unit_index": units[order], "n_units": 3, "n_samples": SECONDS * RATE,
        "sampling_frequency": float(RATE), "amplitude": np.array([80, 60, 40], "f4"),
        "noise": np.array([10.0, 10.0, 8.0]),
    }  # fmt: skip
    return UnitFacts(**{**given, **changes})


def test_every_metric_has_one_value_of_its_declared_type_per_unit():
    columns = compute_columns(facts())
    assert set(columns) == set(METRICS)
    for name, values in columns.items():
        assert values.shape == (3,), name
        assert values.dtype == np.dtype(METRICS[name].column.kind), name


def test_values_equal_those_computed_by_hand():
    columns = compute_columns(facts())
    assert columns["num_spikes"].tolist() == [500, 750, 0]
    assert columns["firing_rate"].tolist() == [50.0, 75.0, 0.0]
    assert columns["snr"].tolist() == [8.0, 6.0, 5.0]
    clean, shared, silent = columns["contamination"]
    assert clean == 0.0
    assert shared > 0.2
    assert np.isnan(silent)


def test_the_order_of_units_does_not_matter():
    given = facts()
    turned = facts(unit_index=2 - given.unit_index, amplitude=given.amplitude[::-1], noise=given.noise[::-1])
    for name, values in compute_columns(turned).items():
        np.testing.assert_array_equal(values[::-1], compute_columns(given)[name])


def test_only_requested_metrics_are_computed():
    assert list(compute_columns(facts(noise=None), ["firing_rate"])) == ["firing_rate"]
    with pytest.raises(ParameterError, match=r"metric is 'firing_rat'; .*did you mean 'firing_rate'"):
        compute_columns(facts(), ["firing_rat"])


def test_an_empty_table_has_every_column():
    columns = empty_columns(unit_variables())
    assert {"label", "channel_index", "x", "y", *METRICS} <= set(columns)
    assert all(len(values) == 0 for values in columns.values())
