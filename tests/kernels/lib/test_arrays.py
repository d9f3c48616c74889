"""Arrays in kernels: those of NumPy, without what takes long to compile, and used by every kernel."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
from numba import njit
from numba.core import event

import xephys
from xephys.kernels.lib.arrays import copy_values, empty, full, grown, zeros

SOURCE = Path(xephys.__file__).parent
DECORATORS = {"kernel", "helper", "inner", "njit"}


@njit
def _every_kind(n):
    columns = empty((n, 3), np.float32)
    columns[:] = 1.5
    values = zeros(n, np.int64)
    values[0] = 7
    return columns, values, zeros((2, n)), full(n, -1, np.int32), full((n, 2), np.inf), grown(values, n + 2)


def test_arrays_are_those_of_numpy():
    expected = _every_kind.py_func(4)
    for _ in range(100):  # an array whose memory was freed too early would change
        found = _every_kind(4)
    for ours, theirs in zip(found[:-1], expected[:-1], strict=True):
        assert ours.dtype == theirs.dtype
        assert ours.flags.c_contiguous
        np.testing.assert_array_equal(ours, theirs)
    assert found[-1].shape == expected[-1].shape
    np.testing.assert_array_equal(found[-1][:4], expected[-1][:4])


@njit
def _flags(n):
    return full(n, True, np.bool_), zeros(n, np.bool_), full(n, 3, np.float32), zeros(0)


def test_values_are_converted():
    for ours, theirs in zip(_flags(3), _flags.py_func(3), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


@njit
def _negative(n):
    return zeros(n)


def test_a_negative_size_is_refused():
    with pytest.raises(ValueError, match="negative"):
        _negative(-1)


@njit
def _fresh_only(n):
    return empty((n, n), np.uint16), zeros(n, np.uint16), full((n, n, 1), 2, np.uint16)


def test_nothing_is_compiled_apart():
    _negative(1)  # Numba's allocator is compiled with the first of all arrays
    with event.install_recorder("numba:compile") as recorder:
        _fresh_only(2)
    compiled = {found.data["dispatcher"].py_func.__name__ for _, found in recorder.buffer}
    assert compiled == {"_fresh_only"}


def _slow_calls(path):
    """Calls of NumPy's functions in kernels of a module."""
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(function, ast.FunctionDef):
            continue
        names = [d.func if isinstance(d, ast.Call) else d for d in function.decorator_list]
        if DECORATORS.isdisjoint(name.id for name in names if isinstance(name, ast.Name)):
            continue
        for call in ast.walk(function):
            if isinstance(call, ast.Call) and ast.unparse(call.func) in (
                "np.empty",
                "np.zeros",
                "np.full",
                "np.append",
            ):
                yield f"{path.relative_to(SOURCE)}:{call.lineno}: {ast.unparse(call)}"


def test_every_kernel_makes_its_arrays_so():
    found = [line for path in sorted(SOURCE.rglob("*.py")) for line in _slow_calls(path)]
    assert not found, "use those of kernels/lib/arrays.py:\n" + "\n".join(found)


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
