"""Samples drawn by absolute position: the same for any chunks, one from each stratum, never overlapping."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.graph.excerpts import draw_excerpts, draw_overlapping_excerpts, tile_plans

from . import toys


def chain(source, chunk_samples):
    plan = toys.plan_on(source, chunk_samples=chunk_samples)
    for stage in toys.TRACE_CHAIN:
        plan = plan.then(stage)
    return plan


def test_the_same_samples_whatever_the_chunks(source):
    drawn = [draw_excerpts(chain(source, n), n_slices=4, duration_s=0.05, seed=3) for n in (333, 1000, 2500)]
    assert len(drawn[0]) == 4
    assert len({tuple(piece.tobytes() for piece in pieces) for pieces in drawn}) == 1
    other = draw_excerpts(chain(source, 1000), n_slices=4, duration_s=0.05, seed=4)
    assert other[0].tobytes() != drawn[0][0].tobytes()


def test_excerpts_are_parts_of_the_traces_each_inside_another_tile(source):
    whole = toys.reference_traces(toys.samples())
    pieces = draw_excerpts(chain(source, 700), n_slices=5, duration_s=0.02, seed=0)
    for k, piece in enumerate(pieces):
        assert piece.shape == (20, toys.N_CHANNELS)
        start = np.flatnonzero((whole[:, 0] == piece[0, 0]) & (whole[:, 1] == piece[0, 1]))
        assert len(start) == 1
        np.testing.assert_array_equal(whole[start[0] : start[0] + 20], piece)
        assert 1000 * k <= start[0] <= 1000 * (k + 1) - 20


def test_a_recording_shorter_than_a_tile_gives_one_excerpt(source):
    short = toys.plan_on(source).narrowed(1000, (95,))
    (piece,) = draw_excerpts(short, n_slices=50, duration_s=0.03, seed=0)
    assert len(piece) == 30
    (whole,) = draw_excerpts(short, n_slices=4, duration_s=1.0, seed=0)
    np.testing.assert_array_equal(whole, toys.samples()[1000:1095])


@pytest.mark.parametrize("n_tiles", [1, 2, 5, 50])
def test_tiles_are_whole_distinct_and_in_order(source, n_tiles):
    plans = tile_plans(toys.plan_on(source), n_tiles=n_tiles, seed=1)
    starts = [plan.start for plan in plans]
    assert len(starts) == min(n_tiles, 5)  # the sixth tile is cut by the end of the recording
    assert starts == sorted(set(starts))
    assert all(plan.start % 1000 == 0 and plan.chunks == (1000,) for plan in plans)


def test_a_range_without_a_whole_tile_is_its_own_sample(source):
    (plan,) = tile_plans(toys.plan_on(source).narrowed(1100, (300, 200)), n_tiles=3, seed=0)
    assert (plan.start, plan.chunks) == (1100, (500,))


def test_as_many_slices_as_asked_for(source):
    plan = toys.plan_on(source)
    n_tiles = len(draw_excerpts(plan, n_slices=10_000, duration_s=0.1, seed=0))
    for n in (1, n_tiles, n_tiles + 3, 5 * n_tiles):
        slices = draw_overlapping_excerpts(plan, n_slices=n, duration_s=0.1, seed=0)
        assert len(slices) == n
        again = draw_overlapping_excerpts(plan.rechunked(77), n_slices=n, duration_s=0.1, seed=0)
        assert all(np.array_equal(a, b) for a, b in zip(slices, again, strict=True))
