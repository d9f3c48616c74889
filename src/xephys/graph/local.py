"""Work on arrays that are already in memory here and would first have to be sent to a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import dask
from dask.local import get_sync
from dask.system import CPU_COUNT

from .run import single_threaded_blas

T = TypeVar("T")
R = TypeVar("R")


def map_in_threads(func: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Apply ``func`` to each item, in order, on as many threads as Dask's threaded scheduler would use.

    For kernels that release the GIL. Uses one thread if Dask is set to be synchronous.

    Examples
    --------
    >>> map_in_threads(abs, [-1, 2, -3])
    [1, 2, 3]
    """
    given = list(items)
    alone = dask.config.get("scheduler", None) in ("synchronous", "single-threaded", "sync", get_sync)
    n_threads = 1 if alone else int(dask.config.get("num_workers", None) or CPU_COUNT)
    with single_threaded_blas():
        if min(n_threads, len(given)) <= 1:
            return [func(item) for item in given]
        with ThreadPoolExecutor(min(n_threads, len(given)), thread_name_prefix="xephys-local") as pool:
            return list(pool.map(func, given))
