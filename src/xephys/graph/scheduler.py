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

#: As functions, because Dask imports distributed to look one up by name.
_LOCAL_SCHEDULERS = {"threads": threaded.get, "synchronous": local.get_sync, "processes": multiprocessing.get}


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
            "`dask scheduler`"
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
