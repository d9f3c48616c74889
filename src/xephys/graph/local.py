"""Work on arrays that are already in memory here and would first have to be sent to a cluster."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from graphlib import TopologicalSorter
from typing import TypeVar

import dask
from dask.local import get_sync
from dask.system import CPU_COUNT

from .process.blas import single_threaded_blas

T = TypeVar("T")
R = TypeVar("R")


#: Number of items, such as units, of a block that one thread works on at a time.
BLOCK_ITEMS = 16


def map_in_threads(func: Callable[[T], R], items: Iterable[T], *, n_threads_max: int | None = None) -> list[R]:
    """Apply ``func`` to each item, in order, on as many threads as Dask's threaded scheduler would use.

    For kernels that release the GIL. Uses one thread if Dask is set to be synchronous, and at most ``n_threads_max``.

    Examples
    --------
    >>> map_in_threads(abs, [-1, 2, -3])
    [1, 2, 3]
    """
    given = list(items)
    n_threads = min(_thread_count(), len(given), n_threads_max or len(given))
    with single_threaded_blas():
        if n_threads <= 1:
            return [func(item) for item in given]
        # Threads take the next item themselves: a future for each would take longer than the shortest calls.
        found: dict[int, R] = {}
        errors: dict[int, BaseException] = {}
        numbers = iter(range(len(given)))

        def work() -> None:
            for number in numbers:
                try:
                    found[number] = func(given[number])
                except BaseException as error:  # noqa: BLE001 - raised again on the thread that waits
                    errors[number] = error
                    deque(numbers, maxlen=0)  # no further item is begun

        with ThreadPoolExecutor(n_threads, thread_name_prefix="xephys-local") as pool:
            try:
                wait([pool.submit(work) for _ in range(n_threads)])
            finally:
                deque(numbers, maxlen=0)  # also after Ctrl-C
        if errors:
            raise errors[min(errors)]
        return [found[number] for number in range(len(given))]


def run_as_ready(steps: Mapping[str, Callable[[], None]], needs: Mapping[str, Iterable[str]]) -> None:
    """Run each step once the steps that it needs have ended, several at a time.

    For steps that alternate between compiled kernels and Python: while one holds the GIL, another computes. With one
    thread they run in the order given, in which every step has to come after those that it needs.

    Parameters
    ----------
    steps
        Functions by name.
    needs
        Names of other steps by name; those that are not in ``steps`` count as done.

    Examples
    --------
    >>> ended = []
    >>> run_as_ready({"a": lambda: ended.append("a"), "b": lambda: ended.append("b")}, {"b": ["a"]})
    >>> ended
    ['a', 'b']
    """
    n_threads = min(_thread_count(), len(steps))
    if n_threads <= 1:
        for step in steps.values():
            step()
        return
    order = TopologicalSorter({name: [need for need in needs.get(name, ()) if need in steps] for name in steps})
    order.prepare()
    running: dict[Future[None], str] = {}
    with single_threaded_blas(), ThreadPoolExecutor(n_threads, thread_name_prefix="xephys-local") as pool:
        while order.is_active():
            for name in order.get_ready():
                running[pool.submit(copy_context().run, steps[name])] = name
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                order.done(running.pop(future))
                future.result()


def _thread_count() -> int:
    alone = dask.config.get("scheduler", None) in ("synchronous", "single-threaded", "sync", get_sync)
    return 1 if alone else int(dask.config.get("num_workers", None) or CPU_COUNT)


def blocks_of(n_items: int) -> list[slice]:
    """Slices of `BLOCK_ITEMS` items each, whatever the number of threads is.

    Examples
    --------
    >>> blocks_of(40)
    [slice(0, 16, None), slice(16, 32, None), slice(32, 40, None)]
    """
    return [slice(first, min(first + BLOCK_ITEMS, n_items)) for first in range(0, n_items, BLOCK_ITEMS)]
