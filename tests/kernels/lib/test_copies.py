"""Copies in kernels: the values, and nothing that would take long to compile."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from xephys.kernels.lib.copies import copy_values


@njit
def _copied(values):
    out = np.zeros_like(values)
    for row in range(len(values)):
        copy_values(values[row], out[row])
    return out


@njit
def _assigned(values):
    out = np.zeros_like(values)
    for row in range(len(values)):
        out[row] = values[row]
    return out


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_rows_are_copied(dtype):
    values = np.arange(12, dtype=dtype).reshape(3, 4)
    np.testing.assert_array_equal(_copied(values), values)
    copy_values.py_func(values[2], values[0])
    np.testing.assert_array_equal(values[0], values[2])


def test_no_message_is_compiled_which_an_assignment_compiles():
    values, message = np.ones((1, 1)), "raise_with_shape_context"
    found = {}
    for function in (_copied, _assigned):
        function(values)
        found[function.py_func.__name__] = any(message in code for code in function.inspect_llvm().values())
    assert found == {"_copied": False, "_assigned": True}
