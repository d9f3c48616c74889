"""The record of a peak, as every detector writes it and every feature stage extends it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Fields as in SpikeInterface; ``x``, ``y``, ``z`` and features follow under their own names.
PEAK_DTYPE = np.dtype(
    [("sample_index", "<i8"), ("channel_index", "<i8"), ("amplitude", "<f8"), ("segment_index", "<i8")]
)


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
