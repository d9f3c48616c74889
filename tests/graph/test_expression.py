"""Plans as Dask expressions: the same tasks, names and values as in a graph of layers. Requires query planning."""

from __future__ import annotations

import dask
import numpy as np
import pytest
import xarray as xr

from xephys.graph.build import count_tasks, plan_of, to_dask
from xephys.graph.source import chunked_array
from xephys.graph.tasks import EXPRESSIONS

from . import toys

if not EXPRESSIONS:
    pytest.skip("Dask's array expressions are off", allow_module_level=True)

from xephys.graph.expression import LazyArray, PlanExpression


def test_a_chain_is_one_expression_named_after_its_plan(source):
    array = toys.traces_on(source)
    assert isinstance(array.expr, PlanExpression)
    assert array.expr.dependencies() == []
    assert array.name == array.expr._name == f"running_mean-{plan_of(array).token}"
    assert count_tasks(array) == array.numblocks[0]


def test_optimizing_keeps_the_plan(source):
    assert plan_of(toys.traces_on(source).optimize()).token == plan_of(toys.traces_on(source)).token


def test_a_source_that_dask_rewrites_gives_the_tasks_another_name(source):
    opaque = (to_dask(toys.plan_on(source)) * 2).rechunk((700, -1)).rechunk((1300, -1))
    array = toys.chained(opaque, *toys.TRACE_CHAIN)
    lowered = array.optimize()
    assert lowered.name != array.name
    assert lowered.name.startswith(array.name)
    np.testing.assert_array_equal(
        array.compute(scheduler="synchronous"), toys.reference_traces(toys.samples().astype(float) * 2)
    )
    keys = {(lowered.name, i, 0) for i in range(lowered.numblocks[0])}
    assert keys <= set(lowered.__dask_graph__())


def test_rechunking_to_the_same_chunks_keeps_the_plan(source):
    array = to_dask(toys.plan_on(source))
    assert plan_of(array.rechunk((2000, -1))[100:4000]).start == 100
    assert plan_of(array.rechunk((700, -1))[100:4000]) is None


def test_values_for_numpy_and_xarray(source):
    array = toys.traces_on(source)
    expected = toys.reference_traces(toys.samples())
    assert np.ndim(array) == 2
    assert np.shape(array) == expected.shape
    np.testing.assert_array_equal(np.asarray(array), expected)
    np.testing.assert_array_equal(np.asarray(array, np.float64), expected)
    np.testing.assert_allclose(np.mean(array, axis=0).compute(), expected.mean(axis=0), atol=1e-5)
    traces = xr.DataArray(array, dims=("time", "channel"))
    np.testing.assert_array_equal(traces.isel(time=slice(10, 60), channel=[3, 0]).values, expected[10:60][:, [3, 0]])
    with pytest.raises(ValueError, match="without a copy"):
        np.array(array, copy=False)
    with pytest.raises(TypeError, match="no implementation found"):
        np.linalg.norm(array)


@pytest.mark.parametrize("channels", [[4, 1], [-1], np.arange(6) % 2 == 0], ids=["list", "negative", "mask"])
def test_selecting_channels_keeps_the_plan(source, channels):
    part = to_dask(toys.plan_on(source))[100:4000, channels]
    assert isinstance(part, LazyArray)
    assert plan_of(part).start == 100
    assert count_tasks(toys.chained(part, toys.MEAN)) == part.numblocks[0] == 2
    np.testing.assert_array_equal(part.compute(), toys.samples()[100:4000][:, channels])


def test_a_chunked_array_in_memory_keeps_its_values():
    samples = toys.samples()
    array = chunked_array(samples, chunk_samples=700)
    np.testing.assert_array_equal(np.asarray(array[::2, [3, 0]]), samples[::2][:, [3, 0]])
    assert xr.DataArray(array).values.tobytes() == samples.tobytes()


def test_records_of_unknown_length_are_computed_together_with_others(source):
    table, traces = toys.events_on(source), toys.traces_on(source)
    records, amplitudes, waves, values = dask.compute(
        table.data, table["amplitude"], table["wave"], traces, scheduler="synchronous"
    )
    np.testing.assert_array_equal(amplitudes, records["amplitude"])
    np.testing.assert_array_equal(waves, records["wave"])
    np.testing.assert_array_equal(values, toys.reference_traces(toys.samples()))
    assert table["wave"].shape[1:] == waves.shape[1:] == (5,)
