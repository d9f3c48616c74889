"""Connecting to schedulers, and workers set up for one thread per library."""

from __future__ import annotations

import os
import resource
import sys

import dask
import numpy as np
import pytest

from tests.graph import toys
from xephys.errors import ParameterError
from xephys.graph import run
from xephys.graph.build import root_plan, to_dask
from xephys.graph.plan import Stage
from xephys.graph.scheduler import active_client, connect
from xephys.graph.workers import KEPT_BYTES_MAX, WORKER_ENVIRONMENT, local_cluster, warm_up, warm_up_workers

SEEN: list[int] = []


def remember(traces, *, before, after):
    SEEN.append(len(traces))
    return traces[before : len(traces) - after].astype(np.float32)


def seen_here():
    from tests.graph import test_workers as test_cluster

    return list(test_cluster.SEEN)


def test_a_cluster_needs_a_worker():
    words = "n_workers is 0 and threads_per_worker 1; both must be at least 1"
    with pytest.raises(ParameterError, match=words), local_cluster(n_workers=0, threads_per_worker=1):
        pass


def test_a_plan_is_warmed_up_with_its_first_tile(source):
    SEEN.clear()
    stage = Stage(remember, dtype=np.float32, before=7, after=5)
    for later in ((), (toys.MINIMA,), (toys.SUMS,)):
        plan = toys.plan_on(source).narrowed(2500, (700,)).then(stage)
        for more in later:
            plan = plan.then(more)
        warm_up(plan)
    assert SEEN == [1012, 1012 + 6, 1012]


def test_an_opaque_array_can_be_warmed_up(source, monkeypatch):
    monkeypatch.setattr(run, "SUB_BLOCK_ROWS", 512)
    SEEN.clear()
    plan = root_plan(to_dask(toys.plan_on(source)) * 2, sampling_frequency=toys.RATE).then(
        Stage(remember, dtype=np.float32)
    )
    warm_up(plan)
    assert SEEN == [512]  # one of the blocks in which pointwise stages run suffices


def pages_mapped_again() -> int:
    """Pages mapped for 64 arrays of 1 MB, which are in small pages, after as many others have been freed."""
    [np.ones(1 << 17) for _ in range(64)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    [np.ones(1 << 17) for _ in range(64)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="settings of the GNU C library")
def test_memory_of_a_task_is_there_for_the_next(monkeypatch):
    for name in [name for name in os.environ if name.startswith("MALLOC_")]:
        monkeypatch.delenv(name)  # settings of the user's, which would be kept
    before = dict(os.environ)
    with local_cluster(n_workers=1, threads_per_worker=1) as client:
        assert client.submit(pages_mapped_again).result() < 1000  # of 16,384
        (environment,) = client.run(lambda: dict(os.environ)).values()
        assert environment["MALLOC_TRIM_THRESHOLD_"] == str(KEPT_BYTES_MAX)
    assert dict(os.environ) == before
    with local_cluster(n_workers=1, threads_per_worker=1, memory_limit="1GiB") as client:
        (environment,) = client.run(lambda: dict(os.environ)).values()
        assert environment["MALLOC_TRIM_THRESHOLD_"] == str(1 << 28)


def test_workers_are_processes_with_one_thread_per_library_and_compiled_kernels(source):
    plan = toys.plan_on(source).then(Stage(remember, dtype=np.float32))
    with local_cluster(n_workers=1, threads_per_worker=2, memory_limit="1GiB") as client:
        assert active_client() is client
        (environment,) = client.run(lambda: dict(os.environ)).values()
        assert {name: environment.get(name) for name in WORKER_ENVIRONMENT} == WORKER_ENVIRONMENT
        assert set(client.run(os.getpid).values()).isdisjoint({os.getpid()})
        warm_up_workers(client, plan)
        assert list(client.run(seen_here).values()) == [[1000]]  # the tile, which is shorter than a block
        with connect(client.scheduler.address) as other:
            assert active_client() is other
            (block,) = dask.compute(to_dask(plan)[:10])
        np.testing.assert_array_equal(block, toys.samples()[:10])
        with connect("threads"):
            assert active_client() is None
    assert active_client() is None
