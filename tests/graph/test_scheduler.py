"""The same bits from threads, one thread, processes and one or two distributed workers, twice in a row."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import dask
import pytest
from distributed import Client

from xephys.errors import ParameterError, ResourceError
from xephys.graph.build import to_dask
from xephys.graph.events import compute
from xephys.graph.reduce import lazy_tree
from xephys.graph.scheduler import active_client, connect
from xephys.graph.workers import local_cluster

from . import toys


# These run before the clusters below are connected, because a connected cluster is the scheduler.
@pytest.mark.parametrize("name", ["threads", "synchronous", "processes"])
def test_schedulers_of_this_process_are_found_by_name(name):
    with connect(name) as client:
        assert client is None
        assert dask.base.get_scheduler() is dask.base.get_scheduler(scheduler=name)
        assert active_client() is None
    assert dask.config.get("scheduler", None) is None


def test_an_unknown_name_is_refused():
    with (
        pytest.raises(ParameterError, match="scheduler 'thread' is unknown; give threads, synchronous"),
        connect("thread"),
    ):
        pass


def test_an_address_without_a_scheduler_is_refused():
    words = r"no Dask scheduler answered at tcp://127\.0\.0\.1:9 within 0\.5 s"
    with pytest.raises(ResourceError, match=words), connect("tcp://127.0.0.1:9", timeout_s=0.5):
        pass


def computed_sum(n_threads: int | None) -> int:
    with connect("threads"), dask.config.set(num_workers=n_threads):
        (total,) = compute(dask.delayed(sum)([1, 2]))
    return int(total)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks on this system")
@pytest.mark.parametrize("n_threads", [None, 2])
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_forked_process_computes_although_no_thread_of_its_parent_runs_there(n_threads):
    """SpikeInterface forks after this process has computed; Dask hands on its pool without the threads."""
    assert computed_sum(n_threads) == 3
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as children:
        child = children.submit(computed_sum, n_threads)
        try:
            assert child.result(timeout=30) == 3
        finally:
            for process in children._processes.values():
                process.kill()


@pytest.fixture(scope="module")
def expected(source):
    return results(source)


@pytest.fixture(scope="module", params=[1, 2], ids=["one worker", "two workers"])
def cluster(request) -> Iterator[Client]:
    with local_cluster(n_workers=request.param, threads_per_worker=2) as client:
        yield client


def results(source, **kwargs):
    """Traces, events and sums as bytes, in chunks of 0.7001 s."""
    plan = toys.plan_on(source, chunk_samples=700).then(toys.MEAN).then(toys.SUMS)
    traces, events, total = compute(
        toys.traces_on(source, chunk_samples=700),
        toys.events_on(source, chunk_samples=700).data,
        lazy_tree(plan),
        **kwargs,
    )
    assert len(events) > 100
    return traces.tobytes(), events.tobytes(), {name: value.tobytes() for name, value in total.items()}


@pytest.mark.parametrize("scheduler", ["synchronous", "threads", "threads", "processes"])
def test_local_schedulers_give_the_same_bits(source, expected, scheduler):
    with dask.config.set(scheduler=scheduler, num_workers=2):
        assert results(source) == expected


def test_distributed_workers_twice_in_a_row(source, expected, cluster):
    for _ in range(2):
        assert results(source) == expected
    hosts = cluster.scheduler_info()["workers"]
    assert len(hosts) == len(cluster.cluster.workers)


def test_an_opaque_root_on_workers(source, expected, cluster):

    opaque = to_dask(toys.plan_on(source, chunk_samples=700)).persist()
    (traces,) = compute(toys.chained(opaque, *toys.TRACE_CHAIN))
    assert traces.tobytes() == expected[0]
