"""Which scheduler runs the tasks: threads, processes, or a cluster at an address; and how threads start."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import dask
from dask import local, multiprocessing, threaded

from ..errors import ParameterError, ResourceError

if TYPE_CHECKING:
    from distributed import Client

#: As functions, because Dask imports distributed to look one up by name.
_LOCAL_SCHEDULERS = {"threads": threaded.get, "synchronous": local.get_sync, "processes": multiprocessing.get}
#: The pools that this module has started, by their number of threads (None for Dask's default).
_STARTED: set[int | None] = set()


def _forget_pools_of_parent() -> None:
    """Make a forked process start pools of its own: no thread of its parent's pools runs in it, and Dask would wait."""
    _STARTED.clear()
    threaded.default_pool = None
    threaded.pools.clear()
    threaded.pools_lock = threading.Lock()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forget_pools_of_parent)


@contextmanager
def connect(scheduler: str = "threads", *, timeout_s: float = 10.0) -> Iterator[Client | None]:
    """Run everything inside the context on a given scheduler.

    Parameters
    ----------
    scheduler
        ``"threads"``, ``"synchronous"``, ``"processes"``, or the address of a running Dask scheduler, such as
        ``"tcp://host:8786"``.
    timeout_s
        How long to wait for an answer from the address.

    Yields
    ------
    The client, or None for a scheduler inside this process.

    Raises
    ------
    ParameterError
        If the name is neither a scheduler nor an address.
    ResourceError
        If nothing answers at the address.

    Examples
    --------
    >>> with connect("threads") as client:
    ...     client is None
    True
    """
    if scheduler in _LOCAL_SCHEDULERS:
        with dask.config.set(scheduler=_LOCAL_SCHEDULERS[scheduler]):
            yield None
        return
    if ":" not in scheduler:
        raise ParameterError(
            f"scheduler {scheduler!r} is unknown; give {', '.join(_LOCAL_SCHEDULERS)} or an address such as "
            "tcp://host:8786"
        )
    from distributed import Client

    try:
        client = Client(scheduler, timeout=timeout_s)
    except (OSError, ValueError) as error:
        raise ResourceError(
            f"no Dask scheduler answered at {scheduler} within {timeout_s:g} s; check the address, or start one with "
            "`dask scheduler`",
            resource="connection",
        ) from error
    with client:
        yield client


def active_client() -> Client | None:
    """The distributed client that a compute would use now; None if a scheduler inside this process would be used."""
    if "distributed" not in sys.modules:  # not imported yet, so there is no client; importing takes half a second
        return None
    from distributed import Client

    owner = getattr(dask.base.get_scheduler(), "__self__", None)
    return owner if isinstance(owner, Client) else None


def computes_here() -> bool:
    """Whether a compute would now run on threads of this process, or in the thread that asks for it.

    Examples
    --------
    >>> with connect("synchronous"):
    ...     computes_here()
    True
    >>> with connect("processes"):
    ...     computes_here()
    False
    """
    here = (None, "threads", "threading", threaded.get, "synchronous", "single-threaded", "sync", local.get_sync)
    return dask.config.get("scheduler", None) in here and active_client() is None


def start_pool(num_workers: int | None = None) -> None:
    """Start the pool of threads in which Dask would compute now; nothing happens if it runs, or tasks run elsewhere.

    An interrupt (Ctrl-C) that arrives meanwhile counts when the pool runs. One that arrives while Python starts the
    first thread of a pool leaves a thread that nobody ends, and the process waits for it for ever.

    Parameters
    ----------
    num_workers
        Number of threads, if the computation will be given one; otherwise that of Dask's configuration.
    """
    if threading.current_thread() is not threading.main_thread():  # other threads are never interrupted
        return
    elsewhere = dask.config.get("scheduler", None) not in (None, "threads", "threading", threaded.get)
    if (elsewhere and num_workers is None) or dask.config.get("pool", None) is not None or active_client() is not None:
        return
    n_threads = num_workers or dask.config.get("num_workers", None)
    if n_threads in _STARTED:
        return
    with interrupts_wait():
        threaded.get({"start": (int,)}, "start", num_workers=n_threads)
        _STARTED.add(n_threads)


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """Let interrupts (Ctrl-C) wait until the end of the context; of several, one counts. In the main thread only."""
    answer = signal.getsignal(signal.SIGINT)
    if not callable(answer):  # they are ignored, or end the process at once
        yield
        return
    waiting: list[tuple[int, Any]] = []
    signal.signal(signal.SIGINT, lambda number, frame: waiting.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, answer)
    if waiting:
        answer(*waiting[0])
