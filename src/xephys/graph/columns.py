"""Columns of records in memory or on disk, read in blocks of rows.

A record of a long recording takes some hundred bytes and most steps need two or three of its fields. Here a whole
column is held at most, of a type as narrow as its values allow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .checkpoint import StoredRecords

#: Records in memory, or on disk.
Records: TypeAlias = NDArray[Any] | StoredRecords
#: Number of rows that are read at a time.
BLOCK_ROWS = 1 << 18


def count_of(records: Records) -> int:
    """Number of records."""
    return len(records) if isinstance(records, np.ndarray) else records.count


def iter_blocks(records: Records, fields: Sequence[str]) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Some fields of all records, one block of rows after another, with the rows of each.

    Examples
    --------
    >>> records = np.array([(1, 2.0), (3, 4.0)], [("sample_index", "i8"), ("gain", "f8")])
    >>> [(rows, block["gain"].tolist()) for rows, block in iter_blocks(records, ["gain"])]
    [(slice(0, 2, None), [2.0, 4.0])]
    """
    n_rows = count_of(records)
    for first in range(0, n_rows, BLOCK_ROWS):
        rows = slice(first, min(first + BLOCK_ROWS, n_rows))
        if isinstance(records, np.ndarray):
            yield rows, records[list(fields)][rows]
        else:
            every = rows.stop - rows.start == n_rows
            yield rows, records.load(fields, rows=None if every else np.arange(rows.start, rows.stop))


def load_columns(records: Records, **dtypes: DTypeLike) -> tuple[NDArray[Any], ...]:
    """Whole columns, each as an array of the given type: ``load_columns(spikes, unit_index=np.int32)``.

    They are the caller's own, also if the records are in memory.

    Examples
    --------
    >>> records = np.array([(1, 2.0), (3, 4.0)], [("sample_index", "i8"), ("gain", "f8")])
    >>> [column.dtype.str[1:] for column in load_columns(records, sample_index="i4", gain="f4")]
    ['i4', 'f4']
    """
    columns = {name: np.empty(count_of(records), dtype) for name, dtype in dtypes.items()}
    for rows, block in iter_blocks(records, tuple(dtypes)):
        for name, column in columns.items():
            column[rows] = block[name]
    return tuple(columns.values())


def load_rows(records: Records, fields: Sequence[str], rows: NDArray[np.integer[Any]]) -> NDArray[Any]:
    """Some fields of the records at given positions, in any order and with repeats.

    Examples
    --------
    >>> records = np.array([(1, 2.0), (3, 4.0)], [("sample_index", "i8"), ("gain", "f8")])
    >>> load_rows(records, ["gain"], np.array([1, 0, 1]))["gain"].tolist()
    [4.0, 2.0, 4.0]
    """
    if isinstance(records, np.ndarray):
        chosen: NDArray[Any] = records[list(fields)][rows]
        return chosen
    order = np.argsort(rows, kind="stable")
    found = records.load(fields, rows=rows[order].astype(np.int64))
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return found[back]


def row_dtype(n_rows: int) -> np.dtype[Any]:
    """The type of row numbers: 4 bytes where that is enough."""
    return np.dtype(np.int32 if n_rows <= np.iinfo(np.int32).max else np.int64)


def rows_where(mask: NDArray[np.bool_]) -> NDArray[np.integer[Any]]:
    """Positions at which a mask is true, in 4 bytes each where that is enough.

    Examples
    --------
    >>> rows_where(np.array([True, False, True])).tolist()
    [0, 2]
    """
    rows: NDArray[np.integer[Any]] = np.empty(int(np.count_nonzero(mask)), row_dtype(len(mask)))
    filled = 0
    for first in range(0, len(mask), BLOCK_ROWS):
        found = np.flatnonzero(mask[first : first + BLOCK_ROWS])
        rows[filled : filled + len(found)] = found + first
        filled += len(found)
    return rows
