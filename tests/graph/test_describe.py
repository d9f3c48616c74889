"""Descriptions: right numbers, no compute, readable as text and in a notebook."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from xephys.graph.build import to_dask
from xephys.graph.describe import describe
from xephys.graph.plan import Plan
from xephys.graph.source import BinarySource
from xephys.graph.tasks import EXPRESSIONS

from . import toys


@pytest.mark.usefixtures("forbid_compute")
def test_a_planned_recording_is_described(source):
    found = describe(xr.DataArray(toys.traces_on(source), dims=("time", "channel")))
    assert found.planned
    assert [s.name for s in found.stages] == ["running_mean", "scale", "mix", "running_mean"]
    assert (found.stages[0].before_ms, found.stages[0].after_ms) == (37.0, 23.0)
    assert found.stages[2].array_bytes == 144
    assert found.halo == (39, 25)
    assert (found.n_chunks, found.chunk_samples, found.tile_samples, found.tasks_per_chunk) == (3, 2000, 1000, 1.0)
    read = (2000 + 25) + (39 + 2000 + 25) + (39 + 1437)
    assert found.bytes_read == read * 6 * 2
    text = repr(found)
    for words in (
        "5,437 × 6 of float32",
        "BinarySource",
        "halo 37 + 23 samples (37 + 23 ms), ",
        "halo in all",
        "tasks per chunk  1",
    ):
        assert words.split(", ")[0] in text
    assert text.count("\n") == len(found.stages) + 7


@pytest.mark.usefixtures("forbid_compute")
def test_the_bytes_announced_are_those_that_tasks_read(tmp_path):
    read = []

    class Counting:
        n_samples, n_channels, dtype, token = toys.N_SAMPLES, 6, np.dtype("int16"), "counting"

        def read(self, start, stop):
            read.append(stop - start)
            return np.zeros((stop - start, 6), np.int16)

    from xephys.graph.run import Program, run_events, visible_arrays

    plan = toys.plan_on(Counting(), chunk_samples=700)
    for stage in (*toys.TRACE_CHAIN, toys.MINIMA):
        plan = plan.then(stage)
    for start, stop in zip(plan.starts[:-1], plan.starts[1:], strict=True):
        run_events(Program.of(plan), visible_arrays(plan), plan.source.read, int(start), int(stop))
    assert describe(to_dask(plan)).bytes_read == sum(read) * 12


@pytest.mark.usefixtures("forbid_compute")
def test_a_table_of_events_is_described(source):
    found = describe(toys.events_on(source))
    assert np.isnan(found.shape[0])
    assert found.stages[-1].emits == "events"
    assert "? of 4 fields" in repr(found)


@pytest.mark.usefixtures("forbid_compute")
def test_an_opaque_array_is_described_as_such(source):
    found = describe(toys.traces_on(source) * 2)
    assert not found.planned
    assert found.tasks_per_chunk == (2.0 if EXPRESSIONS else 1.0)  # layers are fused into one task, expressions are not
    assert "none: an opaque array" in repr(found)
    assert "Dask array mul" in repr(describe(toys.chained(toys.traces_on(source) * 2, toys.MEAN)))


def test_the_memory_of_a_task_is_estimated_from_its_input_and_output():
    source = BinarySource("nowhere", "<i2", 384, 108_000_000)
    plan = Plan.of_source(source, sampling_frequency=30_000.0, chunk_samples=60_000).then(toys.MEAN)
    found = describe(to_dask(plan))
    chunk, tile = (60_060) * 384 * 2 + 60_000 * 384 * 4, 3 * 30_060 * 384 * 4
    assert found.bytes_per_task == chunk + tile
    assert "memory per task  about 277 MB" in repr(found)


def test_html_has_the_same_lines_and_escapes_them(source):
    found = describe(toys.traces_on(source))
    html = found._repr_html_()
    assert html.count("<tr>") == repr(found).count("\n") + 1
    assert "<th>halo in all</th>" in html


@pytest.mark.parametrize("value", [np.zeros((3, 3)), xr.DataArray(np.zeros((3, 3))), "traces"])
def test_data_in_memory_cannot_be_described(value):
    with pytest.raises(TypeError, match="describe takes lazy recordings and tables"):
        describe(value)


def test_a_plain_dask_array_is_described():
    assert describe(da.zeros((10, 2), chunks=(5, 2))).n_chunks == 2
