"""Samples set to zero on all channels, on a device."""

from __future__ import annotations

from typing import Any

import numpy as np


def within_guard(xp: Any, found: Any, guard_samples: int) -> Any:
    """As `xephys.kernels.preprocess.blank.guard.within_guard`."""
    return largest_nearby(xp, found.astype(np.float32), guard_samples) > 0


def blanked(xp: Any, traces: Any, found: Any, *, before: int, after: int) -> Any:
    """As `xephys.kernels.preprocess.blank.guard.blanked`."""
    core = traces[before : len(traces) - after].astype(np.float32)
    return xp.where(found[before : len(traces) - after, None], np.float32(0), core)


def largest_nearby(xp: Any, values: Any, reach: int) -> Any:
    """Running maximum within ``reach`` of each value; the windows double until they are long enough."""
    padded = xp.concatenate([xp.zeros(reach, dtype=np.float32), values, xp.zeros(reach, dtype=np.float32)])
    length, wanted = 1, 2 * reach + 1
    while length < wanted:
        step = min(length, wanted - length)
        padded = xp.maximum(padded[:-step], padded[step:])
        length += step
    return padded
