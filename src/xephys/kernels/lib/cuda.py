"""Kernels written for CUDA and compiled by Numba: where they can run, and how they get the arrays of a device."""

from __future__ import annotations

from typing import Any

import numpy as np


def has_cuda_kernels(xp: Any) -> bool:
    """Whether such kernels run on a namespace's arrays: those of CuPy, where Numba finds what it compiles with.

    Examples
    --------
    >>> has_cuda_kernels(np)
    False
    """
    if getattr(xp, "__name__", "") != "cupy":
        return False
    from numba import cuda

    return bool(cuda.is_available())


def for_numba(*arrays: Any) -> tuple[Any, ...]:
    """The arrays as Numba's kernels take them, without a copy; NumPy's, where a device is simulated, as they are."""
    if isinstance(arrays[0], np.ndarray):
        return arrays
    from numba import cuda

    return tuple(cuda.as_cuda_array(array, sync=False) for array in arrays)
