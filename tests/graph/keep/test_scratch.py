"""Memory of one tile serves the next, and never shows in what a tile gave."""

from __future__ import annotations

import numpy as np

from xephys.graph.keep import scratch
from xephys.graph.keep.scratch import borrowing, buffers_kept
from xephys.graph.plan import Plan, Stage
from xephys.graph.run import Program, run_partials, visible_arrays


def test_the_memory_of_a_tile_serves_the_next_until_the_last_task_ends() -> None:
    with buffers_kept():
        with borrowing() as borrow:
            first = borrow((1000, 4), np.float32)
            other = borrow((1000, 4), np.float32)
            assert not np.may_share_memory(first, other)
        with borrowing() as borrow:
            again = borrow((900, 4), np.float32)
            assert np.may_share_memory(again, first) or np.may_share_memory(again, other)
        assert scratch._buffers.free
    assert not scratch._buffers.free


def test_a_larger_buffer_replaces_a_smaller_one() -> None:
    with buffers_kept():
        with borrowing() as borrow:
            borrow((10,), np.uint8)
        with borrowing() as borrow:
            borrow((5 << 20,), np.uint8)
        assert [buffer.nbytes for buffer in scratch._buffers.free] == [6 << 20]


def test_without_a_task_nothing_is_kept() -> None:
    with borrowing() as borrow:
        borrow((10,), np.float64)
    assert not scratch._buffers.free


def _doubled(traces, *, before, after):  # type: ignore[no-untyped-def]
    return traces * np.float32(2)


def _view(traces, *, before, after, start):  # type: ignore[no-untyped-def]
    return {"head": traces[:3, 0]}


def test_a_view_that_a_stage_returns_does_not_change_with_the_next_tile() -> None:
    samples = np.arange(4000, dtype=np.float32)[:, None]

    class Source:
        n_samples, n_channels, dtype, token = 4000, 1, np.dtype("f4"), "ramp"

        def read(self, start: int, stop: int):  # type: ignore[no-untyped-def]
            return samples[start:stop]

    plan = Plan.of_source(Source(), sampling_frequency=1000.0, chunk_samples=4000)
    plan = plan.then(Stage(_doubled, dtype=np.dtype("f4"))).then(Stage(_view, dtype=np.dtype("f8"), emits="partials"))
    found = run_partials(Program.of(plan), visible_arrays(plan), Source().read, 0, 4000)
    assert len(found) > 1
    for number, partial in found.items():
        first = number * plan.tile_samples
        assert partial["head"].tolist() == [2.0 * first, 2.0 * (first + 1), 2.0 * (first + 2)]
