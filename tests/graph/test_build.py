"""From plans to Dask arrays: one task per chunk, nothing computed while building, small graphs, opaque roots."""

from __future__ import annotations

import time

import cloudpickle
import dask
import dask.array as da
import numpy as np
import pytest

from tests.graph import toys
from tests.support.staged import extend
from xephys.graph.build import count_tasks, plan_of, root_plan, to_dask
from xephys.graph.plan import Plan, Stage
from xephys.graph.source import BinarySource

HOUR = BinarySource("nowhere", "<i2", 384, 108_000_000)
STAGES = (*toys.TRACE_CHAIN, toys.MINIMA, toys.WAVES)


@pytest.mark.usefixtures("forbid_compute")
@pytest.mark.parametrize("n_stages", range(len(STAGES) + 1))
def test_one_task_per_chunk_however_long_the_chain(source, n_stages):
    array = toys.chained(to_dask(toys.plan_on(source)), *STAGES[:n_stages])
    assert array.numblocks[0] == 3
    assert count_tasks(array) == 3


@pytest.mark.usefixtures("forbid_compute")
def test_an_hour_of_384_channels_builds_in_a_second_and_pickles_below_a_megabyte():
    matrix = Stage(toys.mix, dtype=np.float32, arrays={"matrix": np.ones((384, 384), np.float32)})
    began = time.thread_time()
    plan = Plan.of_source(HOUR, sampling_frequency=30_000.0, chunk_samples=60_000)
    for stage in (toys.MEAN, toys.SCALE, matrix, toys.MINIMA):
        plan = plan.then(stage)
        array = to_dask(plan)
    assert array.numblocks == (1800,)
    assert time.thread_time() - began < 1.0
    assert len(cloudpickle.dumps(array)) < 1e6
    assert count_tasks(array) == 1800


@pytest.mark.parametrize("opaque", [False, True])
def test_arrays_are_sent_once_not_with_every_task(opaque):
    root = to_dask(Plan.of_source(HOUR, sampling_frequency=30_000.0, chunk_samples=60_000))
    matrix = Stage(toys.mix, dtype=np.float32, arrays={"matrix": np.ones((384, 384), np.float32)})
    below = root * 2 if opaque else root
    array = extend(below, matrix, sampling_frequency=30_000.0)
    graph = dict(array.__dask_graph__())
    sizes = sorted(len(cloudpickle.dumps(graph[key])) for key in graph if key[0] == array.name)
    assert len(sizes) == 1800
    assert sizes[-1] < 1500
    assert count_tasks(array) == 1800 + (count_tasks(below) if opaque else 0)


def test_values_equal_the_chain_on_the_whole_recording(source):
    found = toys.traces_on(source).compute(scheduler="synchronous")
    np.testing.assert_array_equal(found, toys.reference_traces(toys.samples()))


@pytest.mark.parametrize("chunk", [1, 37, 700, 1000, 1024, 2500, 5436, 5437, 9999])
def test_bits_do_not_depend_on_chunks_even_where_the_last_is_shorter_than_the_halo(source, chunk):
    n = chunk if chunk > 1 else 501  # with chunks of single samples, a slice suffices
    small = to_dask(toys.plan_on(source, chunk_samples=chunk).narrowed(0, (1,) * n)) if chunk == 1 else None
    array = toys.chained(small, *toys.TRACE_CHAIN) if chunk == 1 else toys.traces_on(source, chunk_samples=chunk)
    expected = toys.reference_traces(toys.samples())[: len(array)]
    assert array.compute(scheduler="synchronous").tobytes() == expected.tobytes()


def test_the_plan_travels_with_the_array_and_its_pickle(source):
    array = toys.traces_on(source)
    assert plan_of(array).stages == toys.TRACE_CHAIN
    assert plan_of(cloudpickle.loads(cloudpickle.dumps(array))).token == plan_of(array).token


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a * 2,
        lambda a: a.persist(scheduler="synchronous"),
        lambda a: a.rechunk((700, -1)),
        lambda a: dask.optimize(a)[0],
        lambda a: a[::2],
        lambda a: a[::-1],
        lambda a: a[:, 0],
        lambda a: a[:, None, :][:, 0, :],
        lambda a: a.T,
        lambda a: da.concatenate([a[:100], a[200:300]]),
    ],
    ids=[
        "arithmetic",
        "persist",
        "rechunk",
        "optimize",
        "stride",
        "reverse",
        "one channel",
        "new axis",
        "T",
        "concatenate",
    ],
)
def test_anything_but_a_slice_loses_the_plan(source, change):
    assert plan_of(change(toys.traces_on(source))) is None


def test_an_array_of_unknown_length_or_other_dimensions_is_refused(source):
    unknown = toys.events_on(source)["amplitude"]
    for array in (unknown, da.ones((3, 3, 3))):
        with pytest.raises(ValueError, match=r"give traces \(time, channel\) of known length"):
            root_plan(array, sampling_frequency=toys.RATE)


def test_sums_cannot_become_an_array(source):
    with pytest.raises(ValueError, match=r"reduce it with graph\.reduce\.tree_sum"):
        to_dask(toys.plan_on(source).then(toys.SUMS))
