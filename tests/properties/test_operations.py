"""Every operation on a realistic recording: results depend neither on chunks nor on the range computed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from xephys.graph.build import count_tasks
from xephys.testing import assert_chunk_invariant, forbid_compute, rechunked

from .operations import ESTIMATES, RATE, TABLES, TRANSFORMS, recording
from .strategies import chunk_lengths, ranges

N = 78_000
chunks = chunk_lengths(N, tile_samples=RATE, smallest=3_000)


@pytest.fixture(scope="module")
def expected():
    """Results of the whole recording, computed once for each operation."""
    known = {}

    def of(name, operation):
        if name not in known:
            known[name] = operation(recording()).compute()
        return known[name]

    return of


@pytest.mark.parametrize("name", TRANSFORMS)
@settings(max_examples=6)
@given(chunk=chunks, part=ranges(N))
def test_transforms_do_not_depend_on_chunks_and_range(name, expected, chunk, part):
    whole = expected(name, TRANSFORMS[name]).values
    assert np.isfinite(whole).all()
    cut = rechunked(recording(), chunk)
    with forbid_compute():
        result = TRANSFORMS[name](cut)
        window = slice(part[0], min(part[1], part[0] + 5_000))
        before, after = TRANSFORMS[name](cut.isel(time=window)), result.isel(time=window)
    assert count_tasks(result) == -(-N // chunk)
    assert result.values.tobytes() == whole.tobytes()
    for looked_at in (before, after):
        assert looked_at.values.tobytes() == whole[window].tobytes()


@pytest.mark.parametrize("name", TABLES)
@settings(max_examples=6)
@given(chunk=chunks)
def test_tables_do_not_depend_on_chunks(name, expected, chunk):
    whole = expected(name, TABLES[name])
    assert len(whole) > 20
    with forbid_compute():
        table = TABLES[name](rechunked(recording(), chunk))
    assert count_tasks(table) == -(-N // chunk)
    assert table.compute().tobytes() == whole.tobytes()


@pytest.mark.parametrize("name", ESTIMATES)
def test_estimates_do_not_depend_on_chunks(name):
    assert_chunk_invariant(ESTIMATES[name], recording(), chunk_samples=[7_001, 29_999, N])
