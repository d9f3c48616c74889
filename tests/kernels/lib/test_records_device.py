"""Events on a device: the same records after a round trip, and fields that are added once."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.lib.records_device import Columns, on_device, rows_of

EVENTS = np.array(
    [(100, 3, -1.5), (205, 0, 2.0)], [("sample_index", "<i8"), ("channel_index", "<i8"), ("amplitude", "<f8")]
)


def test_records_survive_a_round_trip(xp):
    there = on_device(xp, EVENTS)
    assert len(there) == 2
    assert on_device(xp, there) is there
    back = there.get()
    assert back.dtype == EVENTS.dtype
    assert back.tobytes() == EVENTS.tobytes()


def test_fields_are_added_at_the_end_and_never_replaced(xp):
    there = on_device(xp, EVENTS).extended(wave=xp.zeros((2, 3), dtype=np.float32))
    assert there.get().dtype.names == (*EVENTS.dtype.names, "wave")
    assert there.get()["wave"].shape == (2, 3)
    with pytest.raises(ValueError, match="already have a field 'wave'"):
        there.extended(wave=xp.zeros(2))


def test_rows_are_counted_within_the_tile():
    events = Columns({"sample_index": EVENTS["sample_index"]})
    rows = rows_of(events, before=20, after=30, start=90, nbefore=20, nafter=31)
    assert rows.tolist() == [30, 135]
    with pytest.raises(ValueError, match=r"halo is 20 samples before and 30 after; a window of 20 \+ 32 samples needs"):
        rows_of(events, before=20, after=30, start=90, nbefore=20, nafter=32)
