"""Tables of peaks and spikes: the record of a peak, and rows counted and ordered block by block.

Every detector writes this record and every feature stage extends it. Blocks of rows keep the intermediate arrays of a
long table small.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Fields as in SpikeInterface; ``x``, ``y``, ``z`` and features follow under their own names.
PEAK_DTYPE = np.dtype(
    [("sample_index", "<i8"), ("channel_index", "<i8"), ("amplitude", "<f8"), ("segment_index", "<i8")]
)
#: Number of rows of a block: 2 MB of 8-byte values.
BLOCK_ROWS = 1 << 18


def add_fields(events: NDArray[np.void], fields: list[tuple[str, Any, tuple[int, ...]]]) -> NDArray[np.void]:
    """Copy an event table, appending fields filled with zeros.

    Parameters
    ----------
    events : structured ndarray
        Event table.
    fields : list of (name, dtype, shape)
        Fields to append; the shape is ``()`` for a scalar field.

    Returns
    -------
    structured ndarray
        Table of the same length: the old fields with their values, then the new ones filled with zero.

    Raises
    ------
    ValueError
        If a field exists already.

    Examples
    --------
    >>> add_fields(np.zeros(3, dtype=PEAK_DTYPE), [("x", "<f8", ())]).dtype.names
    ('sample_index', 'channel_index', 'amplitude', 'segment_index', 'x')
    """
    descriptors: list[Any] = [(name, events.dtype[name]) for name in events.dtype.names or ()]
    for name, dtype, shape in fields:
        if name in (events.dtype.names or ()):
            raise ValueError(f"the events already have a field {name!r}; give the new field another name or drop it")
        descriptors.append((name, dtype, shape))
    table: NDArray[np.void] = np.zeros(events.size, dtype=descriptors)
    for name in events.dtype.names or ():
        table[name] = events[name]
    return table


def row_blocks(n_rows: int, *, size: int | None = None, overlap: int = 0) -> list[slice]:
    """Slices that cover all rows in order, each with some rows of the next.

    Parameters
    ----------
    n_rows, overlap : int
    size : int, optional
        Number of rows of a block; `BLOCK_ROWS` if None.

    Returns
    -------
    list of slice

    Examples
    --------
    >>> row_blocks(5, size=2)
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    size = BLOCK_ROWS if size is None else size
    return [slice(first, min(first + size + overlap, n_rows)) for first in range(0, n_rows, size)]


def count_labels(labels: NDArray[np.integer[Any]], *, n_labels: int = 0) -> NDArray[np.int64]:
    """Number of rows of each label, as `numpy.bincount` counts them, without a copy of labels of another type.

    Parameters
    ----------
    labels : (n_rows,) int
        Negative for rows without a label.
    n_labels : int
        Minimum length of the result.

    Returns
    -------
    (max(n_labels, labels.max() + 1),) int64

    Examples
    --------
    >>> count_labels(np.array([2, -1, 0, 2], np.int32)).tolist()
    [1, 0, 2]
    """
    counts = np.zeros(max(n_labels, int(labels.max(initial=-1)) + 1), np.int64)
    for block in row_blocks(len(labels)):
        part = labels[block]
        counts += np.bincount(part[part >= 0], minlength=len(counts))
    return counts


def order_by_label(labels: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Rows in order of their labels, and of rows of one label.

    NumPy sorts short integers by counting them, at a tenth of the time of sorting long ones.

    Parameters
    ----------
    labels : (n_rows,) int

    Returns
    -------
    (n_rows,) int64

    Examples
    --------
    >>> order_by_label(np.array([2, -1, 0, 2])).tolist()
    [1, 2, 0, 3]
    """
    limits = np.iinfo(np.int16)
    fits = limits.min <= labels.min(initial=0) and labels.max(initial=0) <= limits.max
    return np.argsort(labels.astype(np.int16) if fits else labels, kind="stable")


def rows_within(samples: NDArray[np.int64], block: slice, *, step: int, window_samples: int) -> NDArray[np.int64]:
    """Rows of a block whose sample is at most so far before the sample that comes ``step`` rows later.

    Parameters
    ----------
    samples : (n_rows,) int64
        Ascending.
    block : slice
        With a start and a stop, from `row_blocks`.
    step, window_samples : int

    Returns
    -------
    (n,) int64

    Examples
    --------
    >>> rows_within(np.array([0, 9, 10, 30]), slice(0, 4), step=1, window_samples=5).tolist()
    [1]
    """
    later = samples[block.start + step : block.stop + step]
    near = later - samples[block.start : block.start + len(later)] <= window_samples
    return np.asarray(np.flatnonzero(near) + block.start, np.int64)
