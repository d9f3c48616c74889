"""BLAS has one thread while any task runs, and its own number afterwards."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from xephys.graph.process.blas import single_threaded_blas


def blas_threads():
    return {info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"}


@pytest.fixture
def two_blas_threads():
    """Set the limit from threads that end, because threadpoolctl lets only one living thread set limits."""
    for n in (2, 1):
        setting = threading.Thread(target=threadpool_limits, args=(n, "blas"))
        setting.start()
        setting.join()
        if n == 2:
            assert blas_threads() == {2}
            yield


@pytest.mark.usefixtures("two_blas_threads")
@pytest.mark.parametrize("first_ends_last", [True, False])
def test_blas_has_one_thread_until_the_last_task_ends(first_ends_last):
    entered, leave = [threading.Event() for _ in range(2)], [threading.Event() for _ in range(2)]

    def task(k):
        with single_threaded_blas():
            entered[k].set()
            leave[k].wait(10)

    with ThreadPoolExecutor(2) as pool:
        running = []
        for k in range(2):
            running.append(pool.submit(task, k))
            assert entered[k].wait(10)
        order = (1, 0) if first_ends_last else (0, 1)
        for k in order:
            assert blas_threads() == {1}
            leave[k].set()
            running[k].result(10)
        assert blas_threads() == {2}
