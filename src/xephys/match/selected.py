"""A selection of the records of a pass, with the interface of a pass."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..graph.checkpoint import StoredRecords
from ..graph.columns import BLOCK_ROWS, rows_where


@dataclass(frozen=True, eq=False)
class SelectedRecords:
    """Records on disk, restricted to a selection.

    Attributes
    ----------
    events
        All records.
    selected
        Ascending positions of the selected ones.
    """

    events: StoredRecords
    selected: NDArray[np.integer[Any]]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.events.dtype

    @property
    def count(self) -> int:
        return len(self.selected)

    @cached_property
    def token(self) -> str:
        digest = hashlib.sha1(usedforsecurity=False)
        for first in range(0, self.count, BLOCK_ROWS):
            digest.update(np.ascontiguousarray(self.selected[first : first + BLOCK_ROWS], "<i8"))
        return f"{self.events.token}-{digest.hexdigest()[:16]}"

    def load(
        self, fields: Sequence[str] | None = None, *, rows: NDArray[np.integer[Any]] | None = None
    ) -> NDArray[Any]:
        """The selected records, or those at the given ascending positions among them."""
        return self.events.load(fields, rows=self.selected if rows is None else self.selected[rows])


def select_records(records: StoredRecords, mask: NDArray[np.bool_]) -> StoredRecords:
    """The records where the mask is true: the same object if it is true everywhere."""
    if mask.all():
        return records
    if isinstance(records, SelectedRecords):
        return SelectedRecords(records.events, records.selected[mask])
    return SelectedRecords(records, rows_where(mask))
