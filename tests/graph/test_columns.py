"""Columns are read block by block: the same of any records, of the type asked for, and the caller's own."""

from __future__ import annotations

import numpy as np
import pytest

from tests.match.test_others import stored
from xephys.graph import columns
from xephys.graph.columns import count_of, iter_blocks, load_columns, load_rows, rows_where
from xephys.match.selected import SelectedRecords


@pytest.fixture
def records(tmp_path, monkeypatch):
    """Some records in memory, on disk in files that end elsewhere than the blocks, and as a selection."""
    monkeypatch.setattr(columns, "BLOCK_ROWS", 30)
    some = np.zeros(200, [("sample_index", "i8"), ("unit_index", "i8"), ("gain", "f8"), ("projection", "f4", (2,))])
    some["sample_index"], some["unit_index"] = np.arange(200) * 10, np.arange(200) % 7
    some["gain"] = np.random.default_rng(0).random(200)
    every = stored(np.repeat(some, 2), tmp_path / "twice", n_chunks=9)
    return {
        "memory": some,
        "disk": stored(some, tmp_path / "once", n_chunks=7),
        "selection": SelectedRecords(every, np.arange(0, 400, 2, dtype=np.int32)),
    }


@pytest.mark.parametrize("kind", ["memory", "disk", "selection"])
def test_blocks_cover_all_rows_in_order(records, kind):
    blocks = list(iter_blocks(records[kind], ("sample_index", "gain")))
    assert [rows.start for rows, _ in blocks] == list(range(0, 200, 30))
    assert count_of(records[kind]) == sum(len(block) for _, block in blocks) == 200
    for name in ("sample_index", "gain"):
        assert np.array_equal(np.concatenate([block[name] for _, block in blocks]), records["memory"][name])


@pytest.mark.parametrize("kind", ["memory", "disk", "selection"])
def test_columns_have_their_type_and_are_the_callers_own(records, kind):
    units, gain = load_columns(records[kind], unit_index=np.int16, gain=np.float64)
    assert units.dtype == np.int16 and np.array_equal(units, records["memory"]["unit_index"])
    gain[:] = 0
    assert np.array_equal(load_columns(records[kind], gain=np.float64)[0], records["memory"]["gain"])


@pytest.mark.parametrize("kind", ["memory", "disk", "selection"])
def test_rows_are_read_in_any_order_and_with_repeats(records, kind):
    rows = np.random.default_rng(1).integers(0, 200, 90)
    found = load_rows(records[kind], ["gain"], rows)
    assert np.array_equal(found["gain"], records["memory"]["gain"][rows])
    assert len(load_rows(records[kind], ["gain"], rows[:0])) == 0


def test_positions_of_a_mask(monkeypatch):
    monkeypatch.setattr(columns, "BLOCK_ROWS", 16)
    mask = np.random.default_rng(2).random(100) < 0.3
    assert rows_where(mask).tolist() == np.flatnonzero(mask).tolist()
    assert rows_where(mask).dtype == np.int32
