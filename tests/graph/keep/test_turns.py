"""Turns at tiles: no tile is given twice, and a copy in another process starts anew."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

from xephys.graph.keep.turns import Turns


def test_a_thread_waits_where_all_tiles_are_taken():
    turns = Turns()
    assert (turns.take([1, 2]), turns.take([1, 2])) == (1, 2)
    with ThreadPoolExecutor(1) as pool:
        third = pool.submit(turns.take, [1, 2])
        assert not third.done()
        turns.end(2)
        assert third.result(timeout=60) == 2


def test_a_copy_starts_anew():
    turns = Turns()
    turns.take([1])
    assert pickle.loads(pickle.dumps(turns)).take([1]) == 1
