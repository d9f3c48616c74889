"""Sums over a recording: the same bits for any chunks, any order of arrival and any scheduler."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest

from xephys.graph.build import root_plan, to_dask
from xephys.graph.plan import Plan, Stage
from xephys.graph.reduce import add, fold, grow, lazy_tree, tree_sum
from xephys.graph.source import BinarySource

from . import toys


def bits(total):
    return {name: np.asarray(value).tobytes() for name, value in total.items()}


def summed(source, chunk_samples, *stages):
    plan = toys.plan_on(source, chunk_samples=chunk_samples)
    for stage in (*stages, toys.SUMS):
        plan = plan.then(stage)
    return tree_sum(plan)


@pytest.mark.parametrize("chunk", [100, 333, 700, 1000, 1024, 3001, 5437, 9999])
def test_bits_do_not_depend_on_chunks(source, chunk):
    assert bits(summed(source, chunk, *toys.TRACE_CHAIN)) == bits(summed(source, 2000, *toys.TRACE_CHAIN))


def test_the_sum_equals_numpy_s(source):
    total = summed(source, 700)
    traces = toys.samples().astype(np.float64)
    assert total["n"] == toys.N_SAMPLES
    np.testing.assert_allclose(total["total"], traces.sum(axis=0), rtol=1e-5, atol=1.0)
    np.testing.assert_allclose(total["squares"], traces.T @ traces, rtol=1e-5, atol=1e-6 * np.sum(traces**2))


@pytest.mark.parametrize("n_tiles", [1, 2, 3, 7, 8, 13])
def test_order_of_arrival_and_grouping_do_not_matter(n_tiles):
    rng = np.random.default_rng(n_tiles)
    leaves = {(0, k): {"s": rng.normal(size=3).astype(np.float32)} for k in range(n_tiles)}
    expected = fold(grow(leaves))["s"].tobytes()
    for seed in range(10):
        keys = list(leaves)
        random.Random(seed).shuffle(keys)
        nodes = {}
        for key in keys:  # added one after another, and joined in order of arrival
            nodes = grow({**nodes, key: leaves[key]})
        assert fold(nodes)["s"].tobytes() == expected


def test_a_node_is_the_sum_of_its_two_children():
    leaves = [{"s": np.float32(v)} for v in (1e8, 1.0, -1e8, 1.0)]
    total = fold(grow({(0, k): leaf for k, leaf in enumerate(leaves)}))
    assert total == add(add(leaves[0], leaves[1]), add(leaves[2], leaves[3]))


def test_joining_in_place_gives_the_same_bits_and_needs_one_array():
    rng = np.random.default_rng(0)
    leaves = {(0, k): {"s": rng.normal(size=5), "n": 1.0, **({"odd": np.ones(2)} if k == 2 else {})} for k in range(4)}
    expected = bits(fold(grow(leaves)))
    first = leaves[0, 0]["s"]
    (total,) = grow(leaves, in_place=True).values()
    assert bits(total) == expected and total["s"] is first


def test_a_ragged_end_is_added_in_the_order_of_the_tiles():
    leaves = [{"s": np.float32(v)} for v in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)]
    total = fold(grow({(0, k): leaf for k, leaf in enumerate(leaves)}))
    four = add(add(leaves[0], leaves[1]), add(leaves[2], leaves[3]))
    assert total == add(add(four, add(leaves[4], leaves[5])), leaves[6])


def test_an_opaque_root_gives_the_same_bits(source):
    for chunk in (700, 2000):
        opaque = to_dask(toys.plan_on(source, chunk_samples=chunk)).persist(scheduler="synchronous")
        plan = root_plan(opaque, sampling_frequency=toys.RATE).then(toys.MEAN).then(toys.SUMS)
        assert bits(tree_sum(plan)) == bits(summed(source, 2000, toys.MEAN))


def test_a_range_in_which_no_tile_begins_sums_nothing(source):
    plan = toys.plan_on(source).narrowed(1100, (500,)).then(toys.SUMS)
    assert tree_sum(plan) == {}


@pytest.mark.usefixtures("forbid_compute")
def test_the_tree_of_an_hour_is_built_quickly():
    hour = BinarySource("nowhere", "<i2", 384, 108_000_000)
    began = time.thread_time()
    plan = Plan.of_source(hour, sampling_frequency=30_000.0, chunk_samples=60_000).then(toys.SUMS)
    tree = lazy_tree(plan)
    assert time.thread_time() - began < 1.0
    tasks = [key for key in tree.dask if isinstance(key, tuple)]
    assert 1800 <= len(tasks) <= 1800 * 1.15


def test_only_sums_can_be_summed(source):
    with pytest.raises(ValueError, match="running_mean emits traces, not partial sums"):
        lazy_tree(toys.plan_on(source).then(toys.MEAN))


def test_events_can_be_summed_in_the_same_pass(source):
    plan = toys.plan_on(source)
    for stage in (*toys.TRACE_CHAIN, toys.MINIMA, Stage(count_events, dtype=np.int64, emits="partials")):
        plan = plan.then(stage)
    assert tree_sum(plan)["n"] == len(toys.events_on(source).compute(scheduler="synchronous"))


def count_events(traces, events, *, before, after, start):
    return {"n": np.int64(len(events))}
