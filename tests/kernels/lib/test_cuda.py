"""Arrays for kernels that Numba compiles: converted once, and only where there is something to convert."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from tests.support.device_arrays import strict
from xephys.kernels.lib.cuda import for_numba, has_cuda_kernels, tables_of
from xephys.kernels.lib.dispatch import as_it_is, namespace_of_device, resident


def test_only_cupys_arrays_have_them():
    assert not has_cuda_kernels(np)
    assert not has_cuda_kernels(strict)


def test_where_numba_cannot_compile_it_says_so(monkeypatch):
    """A broken pair of packages must not stop a sort: what has no kernel runs as operations on whole arrays."""
    from numba import cuda

    def broken(*_, **__):
        raise AttributeError("module 'numpy' has no attribute 'row_stack'")

    monkeypatch.setattr(cuda, "jit", broken)
    with pytest.warns(UserWarning, match=r"cannot compile for this GPU .*row_stack.*pip install 'xephys\[gpu\]'"):
        assert not has_cuda_kernels(ModuleType("cupy"))


def test_numpys_arrays_stay_as_they_are(cuda_xp):
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
