"""Some of the records on disk."""

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
class ChosenRecords:
    """Some of the records on disk, by their ascending numbers."""

    records: StoredRecords
    rows: NDArray[np.int64]

    @cached_property
    def token(self) -> str:
        digest = hashlib.sha1(self.rows.tobytes(), usedforsecurity=False).hexdigest()[:16]
        return f"{self.records.token}-{digest}"

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.records.dtype

    @property
    def count(self) -> int:
        return len(self.rows)

    def load(self, fields: Sequence[str] | None = None, *, rows: NDArray[np.int64] | None = None) -> NDArray[Any]:
        """Fields of all of them, or of those with the given ascending numbers among them."""
        return self.records.load(fields, rows=self.rows if rows is None else self.rows[rows])
