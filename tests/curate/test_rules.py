"""Labels and removals by rules, with their reasons."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

import xephys
from xephys.curate.rules import curate_by_rules, curation_log, judge
from xephys.errors import ParameterError

from .trains import trains_of


def sorting() -> xr.DataTree:
    labels = np.repeat([1, 2, 3, 4], [5, 10, 15, 20])
    return xephys.make_sorting(sample_index=np.arange(50) * 10, labels=labels, sampling_frequency=1000.0)


METRICS = xr.Dataset(
    {"snr": ("unit", [8.0, 3.0, np.nan, 9.0]), "isi": ("unit", [0.1, 0.7, 0.2, 0.3])},
    {"unit_id": ("unit", [1, 2, 3, 4])},
)


def test_units_that_meet_all_rules_are_good() -> None:
    curated = curate_by_rules(sorting(), ["snr > 5", "isi < 0.5"], metrics=METRICS)
    assert curated["units"]["label"].values.tolist() == ["good", "noise", "noise", "good"]
    entry = curation_log(curated)[-1]
    assert entry["rules"] == ["snr > 5", "isi < 0.5"]
    assert entry["reasons"] == {"2": ["snr > 5: snr is 3", "isi < 0.5: isi is 0.7"], "3": ["snr > 5: snr is nan"]}


def test_unknown_values_may_pass() -> None:
    curated = curate_by_rules(sorting(), ["snr > 5"], metrics=METRICS, unknown="pass", passed=None, failed="mua")
    before = sorting()["units"]["label"].values.tolist()
    assert curated["units"]["label"].values.tolist() == [before[0], "mua", *before[2:]]


def test_units_that_meet_a_rule_are_removed() -> None:
    tree = sorting()
    curated = curate_by_rules(tree, ["snr > 5"], metrics=METRICS, remove=True)
    trains = trains_of(tree)
    assert trains_of(curated) == {unit: trains[unit] for unit in (1, 4)}
    log = curation_log(curated)
    assert log[-2]["removed"] == [2, 3] and set(log[-1]["reasons"]) == {"2", "3"}
    assert xephys.split_unit(curated, 4, labels=np.arange(20) % 2)["units"]["unit_id"].values.tolist() == [1, 5, 6]


def test_rules_may_be_functions() -> None:
    def fires_often(metrics: xr.Dataset) -> Any:
        return metrics["num_spikes"] >= 10

    curated = curate_by_rules(sorting(), [fires_often, "snr > 2"], metrics=METRICS)
    assert curated["units"]["label"].values.tolist() == ["noise", "good", "noise", "good"]
    assert curation_log(curated)[-1]["reasons"]["1"] == ["fires_often"]
    with pytest.raises(ParameterError, match="a rule returns a boolean for each"):
        curate_by_rules(sorting(), lambda metrics: metrics["num_spikes"])


def test_order_of_rules_and_units_does_not_matter() -> None:
    one = curate_by_rules(sorting(), ["snr > 5", "isi < 0.5"], metrics=METRICS)
    other = curate_by_rules(sorting(), ["isi < 0.5", "snr > 5"], metrics=METRICS.isel(unit=[3, 1, 0, 2]))
    assert one["units"]["label"].values.tolist() == other["units"]["label"].values.tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rules": "sn > 5"}, "did you mean 'snr'"),
        ({"rules": ["snr > 5", 7]}, "a rule is a text"),
        ({"unknown": "keep"}, "it must be one of 'fail', 'pass'"),
    ],
)
def test_bad_input_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        curate_by_rules(sorting(), **{"rules": "snr > 5", "metrics": METRICS, **change})


def test_a_sorting_without_units_is_accepted() -> None:
    judgment = judge(["snr > 5"], {"snr": np.zeros(0)}, np.zeros(0, int))
    assert judgment.passed.shape == (0,) and not judgment.reasons
