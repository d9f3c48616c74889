"""Records of events on a device: one array per field, in the order of a structured type."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.dispatch import namespace_of, to_host


@dataclass(frozen=True)
class Columns:
    """Events of one tile on a device, which has no structured types.

    Attributes
    ----------
    columns
        The device's arrays by name, their first dimension the event.
    """

    columns: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.columns[name]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def extended(self, **columns: Any) -> Columns:
        """The events with further fields.

        Raises
        ------
        ValueError
            If a field exists already.
        """
        for name in columns:
            if name in self.columns:
                raise ValueError(
                    f"the events already have a field {name!r}; give the new field another name or drop it"
                )
        return Columns({**self.columns, **columns})

    def get(self) -> NDArray[np.void]:
        """The events as one structured array in this machine's memory.

        Examples
        --------
        >>> Columns({"sample_index": np.array([3, 5]), "wave": np.zeros((2, 4), np.float32)}).get().dtype["wave"]
        dtype(('<f4', (4,)))
        """
        first = next(iter(self.columns.values()))
        dtype = np.dtype([(name, column.dtype, column.shape[1:]) for name, column in self.columns.items()])
        if not len(self):
            return np.empty(0, dtype)
        # Assembled as bytes on the device, so that everything arrives in one copy.
        xp = np if isinstance(first, np.ndarray) else namespace_of(first)
        fields = [
            _contiguous(column).reshape(len(self), prod(column.shape[1:])).view(np.uint8)
            for column in self.columns.values()
        ]
        records: NDArray[np.void] = to_host(xp.concatenate(fields, axis=1)).view(dtype)[:, 0]
        return records


def _contiguous(column: Any) -> Any:
    return column if column.flags.c_contiguous else column.copy()


def on_device(xp: Any, events: Any) -> Columns:
    """Events as `Columns`: unchanged, or moved to the device if they come from the host."""
    if isinstance(events, Columns):
        return events
    names = events.dtype.names or ()
    return Columns({name: xp.asarray(np.ascontiguousarray(events[name])) for name in names})


def rows_of(events: Columns, *, before: int, after: int, start: int, nbefore: int, nafter: int) -> Any:
    """Rows of the events in a tile, after checking that their windows fit inside it; no value is read.

    Raises
    ------
    ValueError
        If a window may reach outside the tile.
    """
    if before < nbefore or after < max(nafter - 1, 0):
        raise ValueError(
            f"halo is {before} samples before and {after} after; "
            f"a window of {nbefore} + {nafter} samples needs {nbefore} before and {max(nafter - 1, 0)} after"
        )
    return events["sample_index"] - (start - before)
