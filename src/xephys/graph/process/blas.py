"""One thread of BLAS while tasks run, set and unset from one thread of this process."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any


class _BlasKeeper:
    """Set the number of BLAS threads, always from the same thread.

    Since threadpoolctl 3.6, the thread that first sets a limit owns it, and calls from other threads do nothing. Here
    the first task to begin and the last one to end run in different threads, so without this class the limit would stay
    forever.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.tasks = 0
        self._thread: ThreadPoolExecutor | None = None
        self._controller: Any = None
        self._limiter: Any = None
        self._n_modules = 0

    def begin(self) -> None:
        with self.lock:
            if self.tasks == 0:
                if self._thread is None:
                    self._thread = ThreadPoolExecutor(1, thread_name_prefix="xephys-blas")
                self._thread.submit(self._limit).result()
            self.tasks += 1

    def end(self) -> None:
        with self.lock:
            self.tasks -= 1
            if self.tasks == 0 and self._thread is not None:
                self._thread.submit(self._release).result()

    def _limit(self) -> None:
        # Looking for libraries takes 5 ms, so it is done only if an import may have loaded another BLAS.
        if self._n_modules != len(sys.modules):
            from threadpoolctl import ThreadpoolController

            self._controller = ThreadpoolController()
            self._n_modules = len(sys.modules)
        self._limiter = self._controller.limit(limits=1, user_api="blas")
        self._limiter.__enter__()

    def _release(self) -> None:
        self._limiter.__exit__(None, None, None)


_blas = _BlasKeeper()


def _forget_threads_of_parent() -> None:
    global _blas
    _blas = _BlasKeeper()


os.register_at_fork(after_in_child=_forget_threads_of_parent)


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Limit BLAS to one thread while any task runs: Dask's threads are the parallelism, and more would compete for
    cores.

    Tasks are counted, because the limit belongs to the process and tasks overlap.
    """
    keeper = _blas
    keeper.begin()
    try:
        yield
    finally:
        keeper.end()
