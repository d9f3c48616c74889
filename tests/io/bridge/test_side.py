"""Recorded parameters and their names on the other side."""

from __future__ import annotations

import xarray as xr

from xephys.io.bridge.side import parameters_of, renamed


def test_parameters_without_a_counterpart_are_left_out():
    node = xr.Dataset(attrs={"parameters": '{"lag_ms": 2.0, "needs": {}}'})
    assert renamed(parameters_of(node), {"lag_ms": "max_lag_ms", "support": "support"}) == {"max_lag_ms": 2.0}
    assert parameters_of(xr.Dataset()) == {}
