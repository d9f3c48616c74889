"""Move channels to other positions, with zeros where there is none."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def place_channels(
    traces: NDArray[Any], *, before: int = 0, after: int = 0, channels: NDArray[np.int64]
) -> NDArray[Any]:
    """Each output is the named channel, or 0 for -1; the type of the traces is kept.

    Examples
    --------
    >>> place_channels(np.array([[5, 3]], np.int16), channels=np.array([1, -1, 0]))
    array([[3, 0, 5]], dtype=int16)
    """
    core = traces[before : len(traces) - after]
    placed = np.ascontiguousarray(core[:, channels])
    placed[:, channels < 0] = 0
    return placed
