"""Some records on disk are loaded by their numbers, and have an identity of their own."""

from __future__ import annotations

import numpy as np

from tests.support.stored import InMemory
from xephys.cluster.chosen import ChosenRecords

RECORDS = np.array([(n, n * n) for n in range(9)], [("sample_index", "i8"), ("gain", "f8")])


def test_rows_count_the_chosen():
    chosen = ChosenRecords(InMemory(RECORDS), np.array([1, 4, 8]))
    assert (chosen.count, chosen.dtype) == (3, RECORDS.dtype)
    assert chosen.load().tolist() == [(1, 1.0), (4, 16.0), (8, 64.0)]
    assert chosen.load(("sample_index",), rows=np.array([0, 2])).tolist() == [(1,), (8,)]


def test_other_rows_are_other_records():
    tokens = {ChosenRecords(InMemory(RECORDS), np.array(rows)).token for rows in ([1, 4], [1, 5], [1], [1, 4])}
    assert len(tokens) == 3
