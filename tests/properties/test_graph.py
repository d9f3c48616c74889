"""Any chain of stages, any chunks, any range: the same bits as the chain on the whole recording."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.graph import toys
from xephys.graph.build import count_tasks, plan_of, root_plan, to_dask
from xephys.graph.events import SpikeTable
from xephys.graph.plan import Plan
from xephys.graph.reduce import tree_sum

from .strategies import chunk_lengths, cuts, ranges, toy_chains

N = toys.N_SAMPLES
TRACES = toys.samples()


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return toys.write_binary(tmp_path_factory.mktemp("toy"), TRACES)


def with_stages(plan, stages):
    for stage in stages:
        plan = plan.then(stage)
    return plan


def reference(stages):
    before, after = sum(s.before for s in stages), sum(s.after for s in stages)
    padded = np.pad(TRACES, ((before, after), (0, 0)), mode="edge")
    for stage in stages:
        padded = stage.func(padded, before=stage.before, after=stage.after, **stage.keywords)
    return padded


def computed(plan):
    return to_dask(plan).compute(scheduler="synchronous")


@given(stages=toy_chains(), chunks=cuts(N), part=ranges(N))
def test_chains_on_irregular_chunks_and_ranges(source, stages, chunks, part):
    plan = with_stages(toys.plan_on(source, chunk_samples=N).narrowed(0, chunks), stages)
    expected = reference(stages)
    assert computed(plan).tobytes() == expected.tobytes()
    start, stop = part
    sliced = plan_of(to_dask(plan)[start:stop])
    assert (sliced.start, sliced.stop) == part
    assert computed(sliced).tobytes() == expected[start:stop].tobytes()
    assert count_tasks(to_dask(plan)) == len(chunks)


@given(stages=toy_chains(3), later=toy_chains(2), part=ranges(N))
def test_a_slice_in_the_middle_of_a_chain_changes_nothing(source, stages, later, part):
    start, stop = part
    whole = to_dask(with_stages(toys.plan_on(source, chunk_samples=900), stages))
    after = toys.chained(whole[start:stop], *later)
    assert after.compute(scheduler="synchronous").tobytes() == reference([*stages, *later])[start:stop].tobytes()


@given(stages=toy_chains(3), chunk=chunk_lengths(N, tile_samples=1000, smallest=20))
def test_an_opaque_root_gives_the_bits_of_the_plan(source, stages, chunk):
    opaque = to_dask(toys.plan_on(source, chunk_samples=chunk)).persist(scheduler="synchronous")
    plan = with_stages(root_plan(opaque, sampling_frequency=toys.RATE), stages)
    assert computed(plan).tobytes() == reference(stages).tobytes()


@given(stages=toy_chains(3), chunks=cuts(N), part=ranges(N))
def test_events_fall_into_one_chunk_each(source, stages, chunks, part):
    plan = with_stages(toys.plan_on(source, chunk_samples=N), [*stages, toys.MINIMA, toys.WAVES])
    whole = SpikeTable.of_plan(plan).compute(scheduler="synchronous")
    cut = SpikeTable.of_plan(plan.narrowed(0, chunks)).compute(scheduler="synchronous")
    assert cut.tobytes() == whole.tobytes()
    inside = (whole["sample_index"] >= part[0]) & (whole["sample_index"] < part[1])
    narrow = SpikeTable.of_plan(plan.narrowed(part[0], (part[1] - part[0],))).compute(scheduler="synchronous")
    assert narrow.tobytes() == whole[inside].tobytes()


@given(stages=toy_chains(2), chunks=cuts(N))
def test_sums_do_not_depend_on_chunks(source, stages, chunks):
    plan = with_stages(toys.plan_on(source, chunk_samples=N), [*stages, toys.SUMS])
    whole, cut = tree_sum(plan), tree_sum(plan.narrowed(0, chunks))
    assert {name: value.tobytes() for name, value in whole.items()} == {n: v.tobytes() for n, v in cut.items()}


@given(stages=toy_chains())
def test_halos_add_up_in_any_order(stages):
    def halo(chain):
        plan = Plan(Short(), 1000.0, 0, (10**6,), 1000)
        return with_stages(plan, chain).halo

    assert halo(stages) == halo(stages[::-1]) == (sum(s.before for s in stages), sum(s.after for s in stages))


class Short:
    n_samples, n_channels, dtype, token = 10**6, toys.N_CHANNELS, np.dtype("int16"), "short"


@given(n_tiles=st.integers(1, 40), seed=st.integers(0, 10**6))
def test_the_tree_does_not_depend_on_the_order_of_arrival(n_tiles, seed):
    from xephys.graph.reduce import fold, grow

    rng = np.random.default_rng(seed)
    leaves = {(0, k): {"s": rng.normal(size=2).astype(np.float32)} for k in range(n_tiles)}
    nodes = {}
    for key in rng.permutation(n_tiles):
        nodes = grow({**nodes, (0, int(key)): leaves[0, int(key)]})
    assert fold(nodes)["s"].tobytes() == fold(grow(leaves))["s"].tobytes()
