"""The contents of Kilosort4's files: places of spikes, and sortings without white templates."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from xephys.errors import ParameterError
from xephys.io.export.kilosort_fields import kilosort_fields, spike_places

PLACES = np.array([[0.0, 0.0], [0.0, 20.0], [30.0, 40.0]])


def sorting(**columns):
    spikes = xr.Dataset({"unit_index": ("spike", [1, 0, 1]), **{n: ("spike", v) for n, v in columns.items()}})
    units = xr.Dataset({"channel_index": ("unit", [2, 1])})
    return xr.DataTree.from_dict({"spikes": spikes, "units": units})


def test_spikes_without_a_place_get_that_of_their_units_channel():
    assert spike_places(sorting(), PLACES).tolist() == [[0, 20], [30, 40], [0, 20]]


def test_spikes_with_a_place_keep_it():
    found = spike_places(sorting(x=[1.0, 2.0, 3.0], y=[4.0, 5.0, 6.0]), PLACES)
    assert found.dtype == "f4"
    assert found.tolist() == [[1, 4], [2, 5], [3, 6]]


def test_a_sorting_without_white_templates_is_refused():
    with pytest.raises(ParameterError, match="neither a node kilosort4 nor a node learned"):
        kilosort_fields(sorting(), nearest_chans=4)


def test_the_group_of_the_preset_is_used_unchanged():
    tree = sorting()
    tree["kilosort4"] = xr.DataTree(xr.Dataset({"component": ("sample", [1.0, 2.0])}))
    assert kilosort_fields(tree, nearest_chans=4)["component"].values.tolist() == [1.0, 2.0]
