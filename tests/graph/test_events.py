"""SpikeTable: lazy, without a length, cut by tiles and chunks without loss or repetition."""

from __future__ import annotations

import numpy as np
import pytest
from dask.callbacks import Callback

from xephys.graph.build import count_tasks
from xephys.graph.events import SpikeTable, given_events_stage, run_tasks
from xephys.graph.scheduler import connect
from xephys.graph.tasks import EXPRESSIONS

from . import toys


@pytest.fixture(scope="module")
def records(source):
    found = toys.events_on(source).compute(scheduler="synchronous")
    assert len(found) > 100
    return found


def test_records_are_those_of_the_whole_recording_at_once(records):
    traces = toys.reference_traces(toys.samples())
    padded = np.pad(toys.samples(), ((39 + 3, 25 + 3), (0, 0)), mode="edge")
    for stage in toys.TRACE_CHAIN:
        padded = stage.func(padded, before=stage.before, after=stage.after, **stage.keywords)
    expected = toys.minima(padded, before=3, after=3, start=0, threshold=-2.0)
    for name in expected.dtype.names:
        np.testing.assert_array_equal(records[name], expected[name])
    inside = (records["sample_index"] >= 2) & (records["sample_index"] < len(traces) - 2)
    for event in records[inside][:20]:
        row = event["sample_index"]
        np.testing.assert_array_equal(event["wave"], traces[row - 2 : row + 3, event["channel_index"]])


@pytest.mark.parametrize("chunk", [100, 700, 1000, 1024, 2500, 5400, 9999])
def test_bits_do_not_depend_on_chunks(source, records, chunk):
    assert toys.events_on(source, chunk_samples=chunk).compute(scheduler="synchronous").tobytes() == records.tobytes()


@pytest.mark.usefixtures("forbid_compute")
def test_building_and_printing_a_table_computes_nothing(source):
    table = toys.events_on(source)
    assert table.fields == ("sample_index", "channel_index", "amplitude", "wave")
    assert table.dtype == toys.FEATURE_DTYPE
    assert table.n_chunks == count_tasks(table) == 3
    assert repr(table).startswith("<SpikeTable of 3 chunks at 1000 Hz, not computed")
    for text in (repr(table), table._repr_html_()):
        for name in table.fields:
            assert name in text
    kept = table.filter(toys.below)
    assert kept.plan is None
    assert kept.dtype == table.dtype
    assert count_tasks(kept) == (6 if EXPRESSIONS else 3)  # layers are fused into one task, expressions are not


def test_fields_filter_and_counts(source, records):
    table = toys.events_on(source)
    np.testing.assert_array_equal(table["amplitude"].compute(), records["amplitude"])
    assert table.filter(toys.below).compute().tobytes() == records[toys.below(records)].tobytes()
    edges = [0, 2000, 4000, 6000]
    np.testing.assert_array_equal(table.count_per_chunk(), np.histogram(records["sample_index"], edges)[0])
    with pytest.raises(KeyError, match="no field 'ampl'; this table has sample_index, channel_index"):
        table["ampl"]


def test_a_table_has_no_length_and_the_error_names_the_remedy(source):
    with pytest.raises(TypeError, match=r"unknown until they are computed; use \.compute\(\) or \.count_per_chunk\(\)"):
        len(toys.events_on(source))


def test_a_filtered_table_cannot_be_extended(source):
    with pytest.raises(ValueError, match="has no plan; compute it and start from its records"):
        toys.events_on(source).filter(toys.below).then(toys.WAVES)


def test_no_events_at_all_keep_their_dtype(source):
    quiet = toys.MINIMA.__class__(
        toys.minima, dtype=toys.EVENT_DTYPE, parameters={"threshold": -1e9}, before=3, after=3, emits="events"
    )
    table = SpikeTable.of_plan(toys.plan_on(source).then(quiet))
    found = table.compute(scheduler="synchronous")
    assert (len(found), found.dtype) == (0, toys.EVENT_DTYPE)
    assert table.count_per_chunk().tolist() == [0, 0, 0]


def test_given_events_are_handed_out_tile_by_tile(source, records):
    given = records[["sample_index", "channel_index", "amplitude"]].astype(toys.EVENT_DTYPE)
    for chunk in (700, 2000):
        plan = toys.plan_on(source, chunk_samples=chunk)
        for stage in (*toys.TRACE_CHAIN, given_events_stage(given), toys.WAVES):
            plan = plan.then(stage)
        assert SpikeTable.of_plan(plan).compute(scheduler="synchronous").tobytes() == records.tobytes()


def test_given_events_must_be_sorted():
    events = np.zeros(2, toys.EVENT_DTYPE)
    events["sample_index"] = 5, 3
    with pytest.raises(ValueError, match="not sorted by sample_index; sort them first"):
        given_events_stage(events)


def test_masks_and_windows_stay_lazy(source, records):
    from xephys.graph.tasks import EXPRESSIONS
    from xephys.testing import forbid_compute

    table = toys.events_on(source)
    if EXPRESSIONS:
        with pytest.raises(NotImplementedError, match=r"give a function of records instead, table\.filter"):
            table[table["amplitude"] < -3.0]
        return
    with forbid_compute():
        masked = table[table["amplitude"] < -3.0]
        both = masked[masked["channel_index"] == 1]
        window = table.between(2.5, 4.1)
    rate = table.sampling_frequency
    np.testing.assert_array_equal(masked.compute(), records[records["amplitude"] < -3.0])
    np.testing.assert_array_equal(
        both.compute(), records[(records["amplitude"] < -3.0) & (records["channel_index"] == 1)]
    )
    seconds = records["sample_index"] / rate
    np.testing.assert_array_equal(window.compute(), records[(seconds >= 2.5) & (seconds < 4.1)])


@pytest.mark.parametrize("window", [(0.0, 100.0), (1.0, 1.5), (-3.0, 0.1), (90.0, 100.0), (2.0, 4.0)])
def test_windows_at_any_border(source, records, window):
    table = toys.events_on(source)
    start, stop = (second * table.sampling_frequency for second in window)
    inside = (records["sample_index"] >= start) & (records["sample_index"] < stop)
    found = table.between(*window)
    np.testing.assert_array_equal(found.compute(), records[inside])
    assert found.n_chunks <= table.n_chunks


def test_tables_of_other_kinds(source, records):
    table = toys.events_on(source)
    dataset, frame = table.to_dataset(), table.to_dataframe()
    assert dataset["wave"].dims == ("spike", "wave_dim_1") and dataset.sizes["spike"] == len(records)
    np.testing.assert_array_equal(dataset["wave"], records["wave"])
    assert dataset.attrs["sampling_frequency"] == table.sampling_frequency
    assert list(frame)[:4] == ["sample_index", "channel_index", "amplitude", "wave_0"]
    np.testing.assert_array_equal(frame["wave_2"], records["wave"][:, 2])


def test_unsupported_uses_of_a_lazy_table_name_the_remedy(source):
    table = toys.events_on(source)
    with pytest.raises(TypeError, match=r"call \.compute\(\) for its records"):
        np.asarray(table)
    with pytest.raises(TypeError, match="by a mask of its own columns"):
        table[np.ones(3, bool)]
    with pytest.raises(TypeError, match="the mask is float"):
        table[table["amplitude"]]
    with pytest.raises(ValueError, match="it must end after it begins"):
        table.between(2.0, 1.0)


@pytest.mark.parametrize("scheduler", ["synchronous", "threads", "processes"])
def test_independent_calls_return_in_order_on_every_scheduler(scheduler):
    squares, tasks = np.arange(80) ** 2, []
    with connect(scheduler), Callback(pretask=lambda key, *_: tasks.append(key)):
        found = run_tasks(np.take, [(k,) for k in range(20)], shared=(squares,))
    np.testing.assert_array_equal(found, squares[:20])
    assert bool(tasks) == (scheduler == "processes")  # on threads of this process, tasks would only cost time
