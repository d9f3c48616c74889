"""Arrays for kernels compiled by Numba: converted once, and only if conversion is needed."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from tests.support.device_arrays import strict
from xephys.kernels.lib.cuda import for_numba, has_cuda_kernels, tables_of
from xephys.kernels.lib.dispatch import as_it_is, namespace_of_device, resident


def test_other_namespaces_have_no_cuda_kernels():
    assert not has_cuda_kernels(np)
    assert not has_cuda_kernels(strict)


def test_a_failing_numba_is_reported(monkeypatch):
    """Incompatible packages must not stop a sort, which then runs operations on whole arrays."""
    from numba import cuda

    def broken(*_, **__):
        raise AttributeError("module 'numpy' has no attribute 'row_stack'")

    monkeypatch.setattr(cuda, "jit", broken)
    with pytest.warns(UserWarning, match=r"cannot compile for this GPU .*row_stack.*pip install 'xephys\[gpu\]'"):
        assert not has_cuda_kernels(ModuleType("cupy"))


def test_numpy_arrays_are_not_converted(cuda_xp):
    if cuda_xp is not np:
        pytest.skip("for the simulator")
    array = np.arange(3)
    assert for_numba(array, array) == (array, array)
    assert resident(tables_of(np), as_it_is, array) is array


def test_tables_are_converted_once():
    array = np.arange(4.0)
    first = resident(tables_of(np), as_it_is, array)
    assert resident(tables_of(np), as_it_is, array) is first


@pytest.mark.gpu
def test_a_table_is_converted_without_a_copy():
    xp = namespace_of_device("cuda")
    assert has_cuda_kernels(xp)
    array = np.arange(4.0)
    table = resident(tables_of(xp), as_it_is, array)
    assert for_numba(table)[0] is table
    np.testing.assert_array_equal(table.copy_to_host(), array)
    moved = xp.asarray(array)
    assert for_numba(moved)[0].__cuda_array_interface__["data"][0] == moved.data.ptr
