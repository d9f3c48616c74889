"""Compile kernels that only other kernels call."""

from __future__ import annotations

from typing import Any

from numba import njit

#: Options of a kernel that only kernels call, and that makes no array, though views of the given ones. No references to
#: arrays are counted in it: each count is an atomic operation, which waits for all stores before it, and loops over
#: views spend up to a quarter of their time so. Wrappers with which Python could call it are not compiled either: a
#: test calls its `py_func`, or the kernel that calls it.
INNER: dict[str, Any] = {
    "nogil": True,
    "cache": True,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
    "_nrt": False,
}
inner = njit(**INNER)
