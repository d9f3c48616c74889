"""Columns that describe units: from the tree, from its analysis, and from tables that are given."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import xephys
from xephys.curate.columns import unit_columns
from xephys.errors import ParameterError


def sorting() -> xr.DataTree:
    return xephys.make_sorting(sample_index=[10, 20, 30], labels=[7, 9, 9], sampling_frequency=1000.0)


def test_tables_are_reordered_to_the_units() -> None:
    table = xr.Dataset({"snr": ("unit", [1.0, 2.0, 3.0])}, {"unit_id": ("unit", [9, 8, 7])})
    assert unit_columns(sorting(), table)["snr"].tolist() == [3.0, 1.0]
    frame = table.to_dataframe().set_index("unit_id")
    assert unit_columns(sorting(), [frame])["snr"].tolist() == [3.0, 1.0]
    later = table.assign(snr=("unit", [4.0, 5.0, 6.0]))
    assert unit_columns(sorting(), [table, later])["snr"].tolist() == [6.0, 4.0]


def test_tables_of_other_units_are_refused() -> None:
    table = xr.Dataset({"snr": ("unit", [1.0])}, {"unit_id": ("unit", [9])})
    with pytest.raises(ParameterError, match="no row of unit 7"):
        unit_columns(sorting(), table)
    with pytest.raises(ParameterError, match="no coordinate unit_id"):
        unit_columns(sorting(), table.drop_vars("unit_id"))
    with pytest.raises(TypeError, match="not ndarray"):
        unit_columns(sorting(), np.zeros(2))


def test_stored_metrics_are_used_until_units_change(small: xr.DataArray, sorted_default: xr.DataTree) -> None:
    tree = xephys.analyze(
        sorted_default, small, ["quality_metrics"], parameters={"quality_metrics": {"names": ["presence_ratio"]}}
    )
    assert "presence_ratio" in unit_columns(tree)
    ids = tree["units"]["unit_id"].values.tolist()
    with pytest.raises(ParameterError, match="bring them up to date"):
        unit_columns(xephys.merge_units(tree, ids[:2]))
