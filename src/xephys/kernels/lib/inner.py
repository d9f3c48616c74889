"""Compile kernels: those that Python calls, and those that only other kernels call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numba import njit, version_info

from xephys.kernels.lib.compiler.loading import load_lightly
from xephys.kernels.lib.compiler.unswept import compile_unswept

load_lightly()
compile_unswept()

#: Versions of Numba whose inner parts are known; another one compiles kernels as it does any function.
KNOWN_VERSIONS = {(0, 68)}

#: Options of a kernel that Python calls. No wrapper is made with which C could call it: nothing does.
KERNEL: dict[str, Any] = {"nogil": True, "cache": True, "no_cfunc_wrapper": True}
#: Options of a kernel that only kernels call: no wrappers with which Python could call it, which take as long to
#: compile as a short kernel. A test calls its `py_func`, or the kernel that calls it.
HELPER: dict[str, Any] = {**KERNEL, "no_cpython_wrapper": True}

if version_info.short in KNOWN_VERSIONS:
    from xephys.kernels.lib.compiler.compiling import HelperCompiler, KernelCompiler

    KERNEL["pipeline_class"], HELPER["pipeline_class"] = KernelCompiler, HelperCompiler

#: Options of one that, besides, makes no array, though views of the given ones. No references to arrays are counted in
#: it: each count is an atomic operation, which waits for all stores before it, and loops over views spend up to a
#: quarter of their time so.
INNER: dict[str, Any] = {**HELPER, "_nrt": False}

# Numba's annotations know no wrappers, and without them a kernel has no types.
if TYPE_CHECKING:
    kernel = njit(nogil=True, cache=True)
else:
    kernel = njit(**KERNEL)
helper = njit(**HELPER)
inner = njit(**INNER)
