"""What equal sortings are."""

from __future__ import annotations

import xarray as xr


def assert_identical(found: xr.DataTree, expected: xr.DataTree) -> None:
    """Every variable of every group has the same type, shape and bits, and the provenance is the same."""
    groups = {node.path: node.to_dataset(inherit=False) for node in expected.subtree}
    assert {node.path for node in found.subtree} == set(groups)
    for path, dataset in groups.items():
        other = found[path].to_dataset(inherit=False)
        assert set(other.variables) == set(dataset.variables), path
        for name, variable in dataset.variables.items():
            a, b = other.variables[name].values, variable.values
            assert (a.dtype, a.shape) == (b.dtype, b.shape), f"{path}/{name}"
            assert a.tobytes() == b.tobytes(), f"{path}/{name} differs"
    assert found.attrs == expected.attrs
