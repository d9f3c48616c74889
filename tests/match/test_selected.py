"""A selection of stored records loads like the records themselves, without those left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xephys.match.selected import SelectedRecords, select_records


@dataclass(frozen=True)
class InMemory:
    records: np.ndarray
    token: str = "these"

    @property
    def dtype(self):
        return self.records.dtype

    @property
    def count(self):
        return len(self.records)

    def load(self, fields=None, *, rows=None):
        own = self.records if fields is None else self.records[list(fields)]
        return own if rows is None else own[rows]


RECORDS = np.array([(3, 0), (5, 1), (8, 0), (9, 2)], [("sample_index", "i8"), ("unit_index", "i8")])


def test_only_the_selected_are_loaded():
    some = SelectedRecords(InMemory(RECORDS), np.array([1, 2, 3]))
    assert some.count == 3 and some.dtype == RECORDS.dtype
    assert some.load().tolist() == RECORDS[1:].tolist()
    assert some.load(("unit_index",), rows=np.array([0, 2]))["unit_index"].tolist() == [1, 2]


def test_the_token_depends_on_the_records_and_the_selection():
    first, again = (SelectedRecords(InMemory(RECORDS), np.array([1, 2])) for _ in range(2))
    assert first.token == again.token
    assert first.token != SelectedRecords(InMemory(RECORDS), np.array([1, 3])).token
    assert first.token != SelectedRecords(InMemory(RECORDS, "those"), np.array([1, 2])).token


def test_a_mask_that_is_true_everywhere_selects_the_records_themselves():
    every = InMemory(RECORDS)
    assert select_records(every, np.ones(4, bool)) is every
    assert select_records(every, np.array([True, False, True, False])).load().tolist() == RECORDS[[0, 2]].tolist()
