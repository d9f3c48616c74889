"""Sortings of the preset ``kilosort4``, and the equality of two sortings."""

from __future__ import annotations

from typing import Any

import xarray as xr

import xephys


def sort_kilosort4(recording: xr.DataArray, **parameters: Any) -> xr.DataTree:
    """Sort without drift correction, which costs a pass."""
    return xephys.sort(recording, preset="kilosort4", **{"nblocks": 0, **parameters})


def assert_identical(found: xr.DataTree, expected: xr.DataTree, *, same_source: bool = True) -> None:
    """Every variable of every group has the same type, shape and bits, and the provenance is the same.

    With ``same_source=False`` fingerprints may differ, as they do for the same samples from another source.
    """
    groups = {node.path: node.to_dataset(inherit=False) for node in expected.subtree}
    assert {node.path for node in found.subtree} == set(groups)
    for path, dataset in groups.items():
        other = found[path].to_dataset(inherit=False)
        assert set(other.variables) == set(dataset.variables), path
        for name, variable in dataset.variables.items():
            a, b = other.variables[name].values, variable.values
            assert (a.dtype, a.shape) == (b.dtype, b.shape), f"{path}/{name}"
            assert a.tobytes() == b.tobytes(), f"{path}/{name} differs"
    ignored = set() if same_source else {"fingerprint"}
    for name in set(found.attrs) | set(expected.attrs):
        assert name in ignored or found.attrs[name] == expected.attrs[name], name
