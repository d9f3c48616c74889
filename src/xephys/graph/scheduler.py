"""Which scheduler runs the tasks: threads, processes, or a cluster at an address."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import dask
from dask import local, multiprocessing, threaded

from ..errors import ParameterError, ResourceError

if TYPE_CHECKING:
    from distributed import Client

#: As functions: to look one up by its name, Dask imports distributed.
_LOCAL_SCHEDULERS = {"threads": threaded.get, "synchronous": local.get_sync, "processes": multiprocessing.get}


@contextmanager
def connect(scheduler: str = "threads", *, timeout_s: float = 10.0) -> Iterator[Client | None]:
    """Run everything inside the context on a scheduler.

    Parameters
    ----------
    scheduler
        ``"threads"``, ``"synchronous"``, ``"processes"``, or the address of a running Dask scheduler, such as
        ``"tcp://host:8786"``.
    timeout_s
        How long to wait for an answer from an address.

    Yields
    ------
    The client, or None for a scheduler inside this process.

    Raises
    ------
    ParameterError
        If the name is neither of these.
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
            "`dask scheduler`"
        ) from error
    with client:
        yield client


def active_client() -> Client | None:
    """The distributed client that a compute would use now; None for the schedulers inside this process."""
    if "distributed" not in sys.modules:  # half a second to import, and without it there is no client
        return None
    from distributed import Client

    owner = getattr(dask.base.get_scheduler(), "__self__", None)
    return owner if isinstance(owner, Client) else None
