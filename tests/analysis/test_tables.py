"""Tables of metrics, indexed by the names of the units."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import xephys
from xephys.errors import ParameterError


def test_columns_carry_names_and_units_of_measure(sorting: xr.DataTree, recording: xr.DataArray) -> None:
    renamed = xephys.relabel_units(sorting, unit_ids={0: 50})
    table = xephys.compute_quality_metrics(renamed, recording, ["num_spikes", "firing_rate"])
    assert list(table.data_vars) == ["num_spikes", "firing_rate"]
    assert table["unit_id"].values.tolist() == [50, 1, 2, 3, 4]
    assert table["firing_rate"].attrs["units"] == "Hz"
    frame = table.to_dataframe()
    np.testing.assert_array_equal(frame["num_spikes"], sorting["units"]["num_spikes"].values)


def test_all_names_are_listed(sorting: xr.DataTree, recording: xr.DataArray) -> None:
    assert len(xephys.quality_metric_names()) == 20
    shapes = xephys.compute_template_metrics(sorting, recording)
    assert sorted(shapes.data_vars) == sorted(xephys.template_metric_names())


def test_an_unknown_metric_is_refused(sorting: xr.DataTree, recording: xr.DataArray) -> None:
    with pytest.raises(ParameterError, match="metric is 'isolation'"):
        xephys.compute_quality_metrics(sorting, recording, ["isolation"])
