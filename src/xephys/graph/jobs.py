"""Jobs: calls that take minutes each and compute their own chunks, as nodes of one lazy graph."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

import dask
from dask import delayed, threaded

from .scheduler import active_client, start_pool

if TYPE_CHECKING:
    from dask.delayed import Delayed

R = TypeVar("R")


def make_job(call: Callable[[], Any], *, name: str, resources: Mapping[str, float] | None = None) -> Delayed:
    """Make a call into a node that any Dask scheduler can compute.

    Parameters
    ----------
    call
        A function without arguments. Lazy arrays that it holds stay lazy until it computes them.
    name
        Name of the task, unique among the jobs that are computed together.
    resources
        What a worker must have, such as ``{"GPU": 1}``, and how much of it the job uses.

    Examples
    --------
    >>> make_job(lambda: 7, name="seven").compute()
    7
    """
    with dask.annotate(resources=dict(resources)) if resources else dask.annotate():
        return delayed(_Inside(call), pure=False, traverse=False)(dask_key_name=name)


def compute_jobs(jobs: Sequence[Delayed], *, n_at_once: int = 1, lost: Callable[[int, BaseException], R]) -> list[Any]:
    """Compute jobs on the workers of the active client if there is one, otherwise on threads of this process.

    Parameters
    ----------
    jobs
        Jobs made by :func:`make_job`.
    n_at_once
        Number of jobs that run at the same time in this process; on a cluster, the workers decide.
    lost
        Makes the result of a job that no worker could finish, from the job's number and the error.

    Returns
    -------
    The results in the order of the jobs.
    """
    client = active_client()
    if client is None:
        start_pool(n_at_once)
        return list(dask.compute(*jobs, scheduler=threaded.get, num_workers=n_at_once, optimize_graph=False))
    from distributed import wait

    futures = client.compute(list(jobs), optimize_graph=False)
    wait(futures)
    errors = [future.exception() for future in futures]
    return [
        future.result() if error is None else lost(number, error)
        for number, (future, error) in enumerate(zip(futures, errors, strict=True))
    ]


class _Inside:
    """A call whose own computations stay on the threads of the worker that runs it."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self.call = call

    def __call__(self) -> Any:
        with _OWN_THREADS if _is_on_a_worker() else nullcontext():
            return self.call()


def _is_on_a_worker() -> bool:
    if "distributed" not in sys.modules:
        return False
    from distributed import get_worker

    try:
        get_worker()
    except ValueError:
        return False
    return True


class _OwnThreads:
    """While any job runs in this process, its computations run on threads of this process.

    Dask has one setting for the whole process, so the first job sets it and the last job restores it.
    """

    def __init__(self) -> None:
        self.lock, self.at_work, self.before = threading.Lock(), 0, ExitStack()

    def __enter__(self) -> None:
        with self.lock:
            self.at_work += 1
            if self.at_work == 1:
                self.before.enter_context(dask.config.set(scheduler=threaded.get))

    def __exit__(self, *error: object) -> None:
        with self.lock:
            self.at_work -= 1
            if not self.at_work:
                self.before.close()


_OWN_THREADS = _OwnThreads()
