"""A slice in time or channels is still a plan: what follows has one task per chunk touched and the same bits."""

from __future__ import annotations

import time

import numpy as np
import pytest
import xarray as xr

from xephys.graph.build import count_tasks, plan_of, to_dask
from xephys.graph.plan import Plan
from xephys.graph.source import BinarySource

from . import toys

SLICES = {
    "time": np.s_[1234:4321],
    "time within a chunk": np.s_[2100:2110],
    "open end": np.s_[3000:],
    "channel slice": np.s_[:, 1:4],
    "channel list": np.s_[:, [4, 1]],
    "channel mask": np.s_[:, np.arange(6) % 2 == 0],
    "both": np.s_[999:2001, ::2],
}


@pytest.mark.parametrize("index", SLICES.values(), ids=SLICES.keys())
def test_a_slice_keeps_the_plan_and_its_values(source, index):
    array = toys.traces_on(source)
    part = array[index]
    plan = plan_of(part)
    assert plan is not None
    expected = toys.reference_traces(toys.samples())[index]
    assert part.compute(scheduler="synchronous").tobytes() == np.ascontiguousarray(expected).tobytes()
    again = to_dask(plan)
    assert again.shape == part.shape
    assert count_tasks(again) == again.numblocks[0] == part.numblocks[0]
    assert again.compute(scheduler="synchronous").tobytes() == np.ascontiguousarray(expected).tobytes()


def test_a_chain_on_a_slice_sees_beyond_its_borders_and_has_one_task_per_chunk(source):
    part = toys.chained(to_dask(toys.plan_on(source))[1500:4500], *toys.TRACE_CHAIN)
    assert count_tasks(part) == part.numblocks[0] == 3
    expected = toys.reference_traces(toys.samples())[1500:4500]
    assert part.compute(scheduler="synchronous").tobytes() == expected.tobytes()


def test_slices_of_slices_and_of_chains_on_them(source):
    array = to_dask(toys.plan_on(source))[500:5000][:, [0, 2, 4]][700:3000]
    chained = toys.chained(array, toys.MEAN)[100:-50]
    assert plan_of(chained).start == 500 + 700 + 100
    assert count_tasks(toys.chained(chained, toys.SCALE)) == chained.numblocks[0]
    expected = toys.MEAN.func(
        np.pad(toys.samples()[:, [0, 2, 4]], ((37, 23), (0, 0)), mode="edge"), before=37, after=23
    )
    assert chained.compute(scheduler="synchronous").tobytes() == expected[1300:3450].tobytes()


def test_a_slice_above_an_opaque_root_is_still_a_plan(source):
    above = toys.chained(to_dask(toys.plan_on(source)) * 2, toys.MEAN)
    plan = plan_of(above[1000:3000, :3])
    assert plan is not None
    assert (
        to_dask(plan).compute(scheduler="synchronous").tobytes()
        == above[1000:3000, :3].compute(scheduler="synchronous").tobytes()
    )


def test_xarray_selections_keep_the_plan(source):
    traces = xr.DataArray(toys.traces_on(source), dims=("time", "channel"))
    assert plan_of(traces.isel(time=slice(10, 3000), channel=[1, 0])).start == 10
    assert plan_of(traces.isel(channel=0)) is None


def test_an_empty_slice_has_no_plan(source):
    assert plan_of(toys.traces_on(source)[100:100]) is None


def test_the_plan_of_a_slice_of_an_hour_is_found_quickly():
    hour = BinarySource("nowhere", "<i2", 384, 108_000_000)
    array = to_dask(Plan.of_source(hour, sampling_frequency=30_000.0, chunk_samples=60_000))
    began = time.thread_time()
    plan = plan_of(array[10_000:-10_000, ::2])
    assert time.thread_time() - began < 2.0
    assert plan.n_channels == 192
