"""Start a cluster on this machine, and compile kernels on the workers before the work starts."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import dask
from distributed import Client, LocalCluster, WorkerPlugin
from distributed.worker_memory import parse_memory_limit

from ..errors import ParameterError
from .plan import Plan
from .run import Program, run_events, run_partials, run_traces, visible_arrays
from .scheduler import active_client
from .tasks import DaskSource

logger = logging.getLogger(__name__)

#: Environment of worker processes. Libraries inside a task use one thread: Dask's threads are the parallelism.
WORKER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
}
#: Freed memory that a worker keeps for its next task, at most. Dask's own setting returns it at once, and zeroing fresh
#: pages for every chunk takes as long as computing it.
KEPT_BYTES_MAX = 1 << 30


@contextmanager
def local_cluster(
    *,
    n_workers: int = 1,
    threads_per_worker: int = 4,
    memory_limit: str | int = "auto",
    dashboard_address: str | None = None,
) -> Iterator[Client]:
    """Start worker processes on this machine, with a client that makes them the active scheduler.

    Parameters
    ----------
    n_workers
        Processes; one per GPU, or few with several threads each on a CPU.
    threads_per_worker
        Threads of each process; 1 for a GPU.
    memory_limit
        Memory limit of each process, such as ``"4GiB"``; a worker that exceeds it is restarted.
    dashboard_address
        Address such as ``":8787"``; no dashboard if None.

    Yields
    ------
    The client.
    """
    if n_workers < 1 or threads_per_worker < 1:
        raise ParameterError(
            f"n_workers is {n_workers} and threads_per_worker {threads_per_worker}; both must be at least 1"
        )
    # Dask starts no tasks on a worker above 80 % of its limit, so what it keeps must stay far below.
    limit = parse_memory_limit(memory_limit, threads_per_worker, logger=logger) or 4 * KEPT_BYTES_MAX
    heap = {
        "MALLOC_ARENA_MAX": "1",
        "MALLOC_MMAP_MAX_": "0",
        "MALLOC_TOP_PAD_": str(min(KEPT_BYTES_MAX, limit // 4) // 4),
        "MALLOC_TRIM_THRESHOLD_": str(min(KEPT_BYTES_MAX, limit // 4)),
    }
    # The C library reads its settings when a process starts, before a cluster's ``env`` is there.
    usual: dict[str, Any] = dask.config.get("distributed.nanny.pre-spawn-environ")
    with (
        _restored_environment(),
        dask.config.set(
            {
                "distributed.worker.multiprocessing-method": "spawn",
                "distributed.nanny.pre-spawn-environ": {**usual, **heap},
            }
        ),
        LocalCluster(
            n_workers=n_workers,
            threads_per_worker=threads_per_worker,
            memory_limit=memory_limit,
            processes=True,
            # The scheduler opens a port even without a dashboard; any free one, so that clusters never collide.
            dashboard_address=dashboard_address or "127.0.0.1:0",
            scheduler_kwargs={"dashboard": dashboard_address is not None},
            env=WORKER_ENVIRONMENT,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@contextmanager
def _restored_environment() -> Iterator[None]:
    """Take back at the end what Dask adds to the environment of this process to hand it on to its workers."""
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)


def kept_on_workers(array: Any, client: Client) -> Any:
    """A Dask array of data in this process, sent to the workers once instead of with every compute."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sending large graph")  # this once, it is what is wanted
        return client.persist(array)


def warm_up(plan: Plan) -> None:
    """Compile the kernels of a plan in this process, by running its first tile.

    The compiled code also goes to Numba's cache on disk, which several processes must not fill at once.
    """
    program, arrays = Program.of(plan), visible_arrays(plan)
    # From the beginning of the tile: partial sums belong to the chunk in which their tile begins.
    start = plan.start // plan.tile_samples * plan.tile_samples
    run: Any = {"traces": run_traces, "events": run_events, "partials": run_partials}[plan.emits]
    with dask.config.set(scheduler="synchronous"):  # for sources that are Dask arrays: no task may wait for another
        run(program, arrays, plan.source.read, start, min(start + 1, plan.source.n_samples))


class WarmUp(WorkerPlugin):  # type: ignore[misc]
    """Compile the kernels of a plan in every worker, including those that join or restart later."""

    def __init__(self, plan: Plan) -> None:
        self.plan = replace(plan, chunks=(plan.n_samples,))  # workers do not need an hour's worth of chunks
        self.name = f"xephys-warm-up-{plan.identity}"

    def setup(self, worker: Any) -> None:
        warm_up(self.plan)


def warm_up_workers(client: Client, plan: Plan) -> None:
    """Compile a plan's kernels here, then load them in every worker, so that no two compile the same kernel at once."""
    warm_up(plan)
    client.register_plugin(WarmUp(plan))


def warm_up_active(plan: Plan) -> None:
    """Compile a plan's kernels on the active client's workers; no effect without a client or with a Dask source."""
    client = active_client()
    if client is not None and not isinstance(plan.source, DaskSource):
        warm_up_workers(client, plan)
