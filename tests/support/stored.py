"""Records in memory with the interface of records on disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class InMemory:
    """The interface of `xephys.graph.checkpoint.StoredRecords`."""

    records: Any
    token: str = "records"

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.records.dtype

    @property
    def count(self) -> int:
        return len(self.records)

    def load(self, fields=None, *, rows=None):
        chosen = self.records if rows is None else self.records[rows]
        return chosen if fields is None else chosen[list(fields)]
