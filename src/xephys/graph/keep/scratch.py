"""Large arrays that serve one tile after another, so that their memory is mapped and zeroed once."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from ..plan import Array

#: Make an uninitialized array of a shape and type.
Borrow: TypeAlias = Callable[[tuple[int, ...], DTypeLike], Array]

#: Buffers grow in steps of this size, because tiles at the ends of a recording are a little shorter than the others.
_STEP_BYTES = 1 << 21


class _Buffers:
    """Buffers that no tile uses now; they are kept while any task runs."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.tasks = 0
        self.free: list[Array] = []

    def take(self, n_bytes: int) -> Array:
        size = -(-max(1, n_bytes) // _STEP_BYTES) * _STEP_BYTES
        with self.lock:
            fitting = [buffer for buffer in self.free if buffer.nbytes >= size]
            chosen = min(fitting, key=len) if fitting else max(self.free, key=len, default=None)
            if chosen is not None:  # one that is too small makes room for the new one
                self.free = [buffer for buffer in self.free if buffer is not chosen]
            if fitting and chosen is not None:
                return chosen
        return np.empty(size, np.uint8)


_buffers = _Buffers()


def _forget_buffers_of_parent() -> None:
    global _buffers
    _buffers = _Buffers()


os.register_at_fork(after_in_child=_forget_buffers_of_parent)


@contextmanager
def buffers_kept() -> Iterator[None]:
    """Keep buffers from one tile to the next, and among tasks that overlap; the last one to end frees them."""
    buffers = _buffers
    with buffers.lock:
        buffers.tasks += 1
    try:
        yield
    finally:
        with buffers.lock:
            buffers.tasks -= 1
            if not buffers.tasks:
                buffers.free.clear()


@contextmanager
def borrowing() -> Iterator[Borrow]:
    """A function that makes arrays; their memory is used again after the end of the block.

    Examples
    --------
    >>> with buffers_kept(), borrowing() as borrow:
    ...     borrow((2, 3), "f4").shape
    (2, 3)
    """
    buffers, used = _buffers, []

    def borrow(shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        wanted = np.dtype(dtype)
        n_bytes = math.prod(shape) * wanted.itemsize
        used.append(buffers.take(n_bytes))
        made: Array = used[-1][:n_bytes].view(wanted).reshape(shape)
        return made

    try:
        yield borrow
    finally:
        with buffers.lock:
            if buffers.tasks:
                buffers.free += used


def own_arrays(result: Any, borrowed_from: Array) -> Any:
    """What a tile gives, copied where it is a view of memory that the next tile uses again."""
    if isinstance(result, dict):
        return {name: own_arrays(value, borrowed_from) for name, value in result.items()}
    both = isinstance(result, np.ndarray) and isinstance(borrowed_from, np.ndarray)
    if both and np.may_share_memory(result, borrowed_from):
        return result.copy()
    return result
