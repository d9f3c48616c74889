"""What a task does: tiles, padding at the recording's true ends only, events owned by one chunk."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from xephys.graph import run
from xephys.graph.plan import Stage
from xephys.graph.run import Program, Reader, run_events, run_partials, run_traces, visible_arrays
from xephys.kernels.lib.dispatch import overwrites
from xephys.kernels.preprocess.scale import fill_scaled, scale

from . import toys

TRACES = toys.samples()
SEEN: list[tuple[int, int, bool]] = []
OVERWRITTEN: list[bool] = []


class Memory:
    """A source that counts its reads."""

    n_samples, n_channels, dtype, token = toys.N_SAMPLES, toys.N_CHANNELS, np.dtype("int16"), "memory"

    def __init__(self) -> None:
        self.reads: list[tuple[int, int]] = []

    def read(self, start, stop):
        assert 0 <= start <= stop <= self.n_samples
        self.reads.append((start, stop))
        return TRACES[start:stop]


def program_of(*stages):
    source = Memory()
    plan = toys.plan_on(source)
    for stage in stages:
        plan = plan.then(stage)
    return Program.of(plan), visible_arrays(plan), source


def remember(traces, *, before, after):
    SEEN.append((len(traces), int(before), traces.flags.c_contiguous))
    return traces[before : len(traces) - after].astype(np.float32)


def test_every_tile_has_the_same_shape_for_any_range():
    program, arrays, source = program_of(Stage(remember, dtype=np.float32, before=37, after=23))
    SEEN.clear()
    run_traces(program, arrays, source.read, 1990, 3010)
    assert [n for n, *_ in SEEN] == [1060] * 3
    assert source.reads == [(1000 - 37, 4000 + 23)]  # once, widened by the halo
    SEEN.clear()
    run_traces(program, arrays, source.read, 5400, toys.N_SAMPLES)
    assert [n for n, *_ in SEEN] == [437 + 60]


def test_a_range_inside_a_tile_has_the_bits_of_the_whole():
    program, arrays, source = program_of(*toys.TRACE_CHAIN)
    whole = run_traces(program, arrays, source.read, 0, toys.N_SAMPLES)
    for start, stop in [(0, 1), (999, 1001), (1234, 1300), (5436, 5437), (2000, 2000), (17, 4242)]:
        part = run_traces(program, arrays, source.read, start, stop)
        assert part.tobytes() == whole[start:stop].tobytes()


def test_traces_are_written_into_the_given_array():
    for stages in (toys.TRACE_CHAIN, ()):
        program, arrays, source = program_of(*stages)
        whole = np.zeros((600, program.n_channels), program.dtype)
        given = run_traces(program, arrays, source.read, 700, 1200, out=whole[50:550])
        assert np.shares_memory(given, whole) and not whole[:50].any() and not whole[550:].any()
        assert np.array_equal(given, run_traces(program, arrays, source.read, 700, 1200))


def test_traces_equal_the_chain_on_the_whole_recording():
    program, arrays, source = program_of(*toys.TRACE_CHAIN)
    whole = run_traces(program, arrays, source.read, 0, toys.N_SAMPLES)
    np.testing.assert_array_equal(whole, toys.reference_traces(TRACES))


def test_padding_repeats_the_edge_sample_and_happens_only_at_the_true_ends():
    reader = Reader(lambda a, b: TRACES[a:b], toys.N_SAMPLES, -5, 20)
    block = reader(-5, 10)
    np.testing.assert_array_equal(block[:5], np.repeat(TRACES[:1], 5, axis=0))
    np.testing.assert_array_equal(block[5:], TRACES[:10])
    inside = Reader(lambda a, b: TRACES[a:b], toys.N_SAMPLES, 100, 120)(100, 120)
    np.testing.assert_array_equal(inside, TRACES[100:120])


@pytest.mark.parametrize("order", ["F", "C"])
@pytest.mark.parametrize("dtype", ["<i2", ">i2"])
def test_kernels_get_native_bytes_and_contiguous_rows(order, dtype):
    foreign = np.asarray(TRACES, dtype=dtype, order=order)
    for start, stop in [(-5, 20), (100, 120)]:
        block = Reader(lambda a, b: foreign[a:b], toys.N_SAMPLES, start, stop)(start, stop)
        assert block.flags.c_contiguous
        assert block.dtype == np.dtype("int16")
    np.testing.assert_array_equal(block, TRACES[100:120])


def test_without_stages_the_samples_are_a_private_copy():
    program, arrays, source = program_of()
    out = run_traces(program, arrays, source.read, 10, 20)
    np.testing.assert_array_equal(out, TRACES[10:20])
    assert not np.shares_memory(out, TRACES)


def test_pointwise_stages_run_in_blocks_with_the_bits_of_the_whole(monkeypatch):
    monkeypatch.setattr(run, "SUB_BLOCK_ROWS", 300)
    program, arrays, source = program_of(toys.SCALE, toys.MIX, toys.MEAN, toys.SCALE, toys.MIX)
    whole = run_traces(program, arrays, source.read, 0, 1000)
    padded = np.pad(TRACES[: 1000 + 23], ((37, 0), (0, 0)), mode="edge")
    for stage in (toys.SCALE, toys.MIX, toys.MEAN, toys.SCALE, toys.MIX):
        padded = stage.func(padded, before=stage.before, after=stage.after, **stage.keywords)
    assert whole.tobytes() == padded.tobytes()


@pytest.mark.parametrize("chain", [(toys.SCALE, toys.MIX), (toys.MEAN, toys.SCALE, toys.MIX)])
def test_pointwise_stages_never_write_over_the_source(chain):
    source = np.asarray(TRACES, np.float32).copy()
    program, arrays, _ = program_of(*chain)
    first = run_traces(program, arrays, lambda a, b: source[a:b], 0, 1000)
    np.testing.assert_array_equal(source, np.asarray(TRACES, np.float32))
    assert run_traces(program, arrays, lambda a, b: source[a:b], 0, 1000).tobytes() == first.tobytes()


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_one_stage_that_fills_an_array_does_so_once_per_tile(dtype, monkeypatch):
    source, calls = TRACES.astype(dtype), []
    monkeypatch.setattr(scale, "fill_float32", lambda *given, **more: [calls.append(1), fill_scaled(*given, **more)])
    program, arrays, _ = program_of(Stage(scale, dtype=np.dtype("f4"), parameters={"gain": 0.5}), toys.MEAN)
    found = run_traces(program, arrays, lambda a, b: source[a:b], 1000, 3000)
    np.testing.assert_array_equal(source, TRACES)  # float32 samples are not overwritten
    assert len(calls) == 2
    del scale.fill_float32
    assert found.tobytes() == run_traces(program, arrays, lambda a, b: source[a:b], 1000, 3000).tobytes()


def test_each_event_belongs_to_exactly_one_chunk():
    program, arrays, source = program_of(*toys.TRACE_CHAIN, toys.MINIMA, toys.WAVES)
    whole = run_events(program, arrays, source.read, 0, toys.N_SAMPLES)
    assert len(whole) > 100
    edges = [0, 1, 999, 1000, 1001, 2500, 2500, 5000, toys.N_SAMPLES]
    parts = [run_events(program, arrays, source.read, a, b) for a, b in itertools.pairwise(edges)]
    for part, a, b in zip(parts, edges[:-1], edges[1:], strict=True):
        assert ((part["sample_index"] >= a) & (part["sample_index"] < b)).all()
    assert np.concatenate(parts).tobytes() == whole.tobytes()


@overwrites
def wasteful_minima(traces, *, overwrite=False, **keywords):
    OVERWRITTEN.append(overwrite)
    found = toys.minima(traces, **keywords)
    if overwrite:
        traces[:] = 9.0
    return found


@pytest.mark.parametrize(
    ("before", "after", "expected"), [([toys.SCALE], [], True), ([], [], False), ([toys.SCALE], [toys.WAVES], False)]
)
def test_only_the_last_kernel_of_a_tile_of_its_own_may_overwrite_it(before, after, expected):
    OVERWRITTEN.clear()
    source_before = TRACES.copy()
    program, arrays, source = program_of(*before, toys.MINIMA, *after)
    careful = run_events(program, arrays, source.read, 0, toys.N_SAMPLES)
    program, arrays, source = program_of(*before, replace(toys.MINIMA, func=wasteful_minima), *after)
    found = run_events(program, arrays, source.read, 0, toys.N_SAMPLES)
    assert set(OVERWRITTEN) == {expected}
    np.testing.assert_array_equal(TRACES, source_before)
    assert len(found) > 100
    assert found.tobytes() == careful.tobytes()


def test_an_empty_range_has_no_events_of_the_right_dtype():
    program, arrays, source = program_of(toys.MINIMA)
    events = run_events(program, arrays, source.read, 700, 700)
    assert (len(events), events.dtype) == (0, toys.EVENT_DTYPE)


def test_a_tile_s_sum_belongs_to_the_range_in_which_it_begins():
    program, arrays, source = program_of(toys.SUMS)
    found = {}
    for a, b in [(0, 700), (700, 1000), (1000, 1001), (1001, 3500), (3500, toys.N_SAMPLES)]:
        part = run_partials(program, arrays, source.read, a, b)
        assert not found.keys() & part.keys()
        found |= part
    assert sorted(found) == [0, 1, 2, 3, 4, 5]
    np.testing.assert_array_equal(found[5]["total"], TRACES[5000:].astype(np.float32).sum(axis=0))


def numbers(traces, *, before, after, start):
    """Every sample is its own absolute number."""
    n = len(traces) - before - after
    return np.repeat(np.arange(start, start + n, dtype=np.float64)[:, None], traces.shape[1], axis=1)


def test_a_timed_stage_knows_the_absolute_time_of_what_it_returns():
    import dask.array as da

    from tests.support.staged import extend
    from xephys.graph.plan import Stage

    given = da.zeros((2500, 2), chunks=(700, 2), dtype="f8")
    wide = Stage(trim, dtype=np.dtype("f8"), before=30, after=10)
    timed = Stage(numbers, dtype=np.dtype("f8"), before=4, after=5, timed=True)
    chained = given
    for stage in (wide, timed, wide):
        chained = extend(chained, stage, sampling_frequency=1000.0)
    np.testing.assert_array_equal(chained.compute()[:, 0], np.clip(np.arange(2500), 0, None))
    np.testing.assert_array_equal(chained[1111:1500].compute()[:, 1], np.arange(1111, 1500))


def trim(traces, *, before, after):
    return traces[before : len(traces) - after]
