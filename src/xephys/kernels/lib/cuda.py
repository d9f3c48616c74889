"""CUDA kernels compiled by Numba: where they can run, and how they receive device arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any
from warnings import warn

import numpy as np


@cache
def has_cuda_kernels(xp: Any) -> bool:
    """Whether such kernels can run on a namespace's arrays: those of CuPy, if Numba can compile for the device.

    Warns if Numba cannot. The same work is then done by many operations on whole arrays, several times slower.

    Examples
    --------
    >>> has_cuda_kernels(np)
    False
    """
    if getattr(xp, "__name__", "") != "cupy":
        return False
    from numba import cuda

    try:
        # Compiled immediately: some versions of NumPy and numba-cuda can be imported together but do not compile.
        cuda.jit("void(int32[:])")(_nothing)
    except (AttributeError, ImportError, OSError, RuntimeError) as error:
        warn(
            f"Numba cannot compile for this GPU ({error}), so that matching is slower; pip install 'xephys[gpu]' "
            "installs versions that fit together",
            stacklevel=2,
        )
        return False
    return True


def _nothing(array: Any) -> None:
    """The shortest kernel."""


def is_simulated() -> bool:
    """Whether Numba simulates a device, on which blocks run one after another, and a thread is one of Python's."""
    from numba import config

    return bool(getattr(config, "ENABLE_CUDASIM", False))


def n_resident_blocks(a_processor: int, *, at_most: int | None = None) -> int:
    """Number of thread blocks that are on the device at once, with so many on each multiprocessor; 1 if simulated."""
    from numba import cuda

    n_blocks = 1 if is_simulated() else a_processor * cuda.get_current_device().MULTIPROCESSOR_COUNT
    return n_blocks if at_most is None else min(n_blocks, at_most)


def for_numba(*arrays: Any) -> tuple[Any, ...]:
    """The arrays in the form that Numba's kernels take, without a copy.

    NumPy arrays, for a simulated device, unchanged.
    """
    return tuple(map(_for_numba, arrays))


def _for_numba(array: Any) -> Any:
    if isinstance(array, np.ndarray):
        return array
    from numba import cuda

    # Tables have been converted before: a conversion takes longer than a short kernel.
    return array if cuda.is_cuda_array(array) and not hasattr(array, "get") else cuda.as_cuda_array(array, sync=False)


@dataclass(frozen=True)
class Tables:
    """A namespace for `resident`: moves tables to a device and keeps them in the form that Numba's kernels take."""

    xp: Any

    def asarray(self, array: Any) -> Any:
        return _for_numba(self.xp.asarray(array))


@cache
def tables_of(xp: Any) -> Tables:
    """The single `Tables` object of a namespace."""
    return Tables(xp)
