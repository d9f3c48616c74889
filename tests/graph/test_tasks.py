"""Tasks on opaque arrays: one more per chunk than the array's own, on the blocks that a tile and its halo need."""

from __future__ import annotations

import time

import dask.array as da
import numpy as np
import pytest

from tests.graph import toys
from tests.support.staged import extend
from xephys.graph.build import count_tasks, plan_of, root_plan, to_dask
from xephys.graph.events import SpikeTable
from xephys.graph.plan import Plan
from xephys.graph.source import BinarySource
from xephys.graph.tasks import DaskSource, covering_blocks

HOUR = BinarySource("nowhere", "<i2", 384, 108_000_000)
STAGES = (*toys.TRACE_CHAIN, toys.MINIMA, toys.WAVES)


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a * 2,
        lambda a: a.persist(scheduler="synchronous"),
        lambda a: a.rechunk((700, -1)),
        lambda a: a.rechunk((1300, 2)),
        lambda a: da.concatenate([a[:100], a[200:900]]),
        lambda a: a[a.shape[0] - 61 :][::-1],
    ],
    ids=["arithmetic", "persist", "rechunk", "channel chunks", "concatenate", "just longer than the halo"],
)
def test_an_opaque_array_is_a_root_with_the_values_of_its_own_chain(source, change):
    opaque = change(to_dask(toys.plan_on(source)))
    values = opaque.compute(scheduler="synchronous")
    chained = toys.chained(opaque, *toys.TRACE_CHAIN)
    assert isinstance(plan_of(chained).source, DaskSource)
    np.testing.assert_array_equal(chained.compute(scheduler="synchronous"), toys.reference_traces(values))


def test_an_opaque_root_costs_one_task_per_chunk_more_than_its_own(source):
    opaque = to_dask(toys.plan_on(source, chunk_samples=700)) * 2
    own = count_tasks(opaque)
    n = opaque.numblocks[0]
    for k in range(1, len(STAGES) + 1):
        array = toys.chained(opaque, *STAGES[:k])
        assert count_tasks(array) == own + n


def test_events_of_an_opaque_root_equal_those_of_the_plan(source):
    opaque = to_dask(toys.plan_on(source)).persist(scheduler="synchronous")
    plan = root_plan(opaque, sampling_frequency=toys.RATE)
    for stage in STAGES:
        plan = plan.then(stage)
    found = SpikeTable.of_plan(plan).compute(scheduler="synchronous")
    assert found.tobytes() == toys.events_on(source).compute(scheduler="synchronous").tobytes()


def test_an_hour_as_an_opaque_root_is_extended_quickly():
    opaque = to_dask(Plan.of_source(HOUR, sampling_frequency=30_000.0, chunk_samples=60_000)) * 2
    began = time.thread_time()
    extend(opaque, toys.MEAN, sampling_frequency=30_000.0)
    assert time.thread_time() - began < 1.0


def test_blocks_cover_the_tiles_and_their_halo_also_with_empty_blocks():
    plan = toys.plan_on(BinarySource("nowhere", "<i2", 6, 5_000)).then(toys.MEAN)
    edges = np.array([0, 1000, 2000, 2000, 3000, 5000, 5000])
    assert covering_blocks(plan, edges, 1000, 2000) == (0, 4)
    assert covering_blocks(plan, edges, 0, 10) == (0, 2)
    assert covering_blocks(plan, edges, 5000, 5000)[0] <= 5
    empty_tail = da.concatenate([da.ones((5000, 2), chunks=1000), da.ones((0, 2))]) * 2
    assert extend(empty_tail, toys.MEAN, sampling_frequency=toys.RATE).compute(scheduler="synchronous").shape == (
        5000,
        2,
    )
