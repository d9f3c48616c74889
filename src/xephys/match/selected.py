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
    selected: NDArray[np.int64]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.events.dtype

    @property
    def count(self) -> int:
        return len(self.selected)

    @cached_property
    def token(self) -> str:
        digest = hashlib.sha1(np.ascontiguousarray(self.selected, "<i8").tobytes(), usedforsecurity=False)
        return f"{self.events.token}-{digest.hexdigest()[:16]}"

    def load(self, fields: Sequence[str] | None = None, *, rows: NDArray[np.int64] | None = None) -> NDArray[Any]:
        """The selected records, or those at the given ascending positions among them."""
        return self.events.load(fields, rows=self.selected if rows is None else self.selected[rows])


def select_records(records: StoredRecords, mask: NDArray[np.bool_]) -> StoredRecords:
    """The records where the mask is true: the same object if it is true everywhere."""
    return records if mask.all() else SelectedRecords(records, np.flatnonzero(mask))
