"""Artifacts of many channels on a device: counts and largest values by sample, spread over the guard."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.dispatch import as_it_is, resident


def blank_common_artifacts(
    xp: Any,
    traces: Any,
    *,
    before: int,
    after: int,
    thresholds: NDArray[np.float32],
    n_channels_min: int,
    peak_fraction: float,
    guard_samples: int,
) -> Any:
    """As `xephys.kernels.preprocess.common_artifacts.blank_common_artifacts`."""
    size = abs(traces.astype(np.float32))
    limit = resident(xp, as_it_is, thresholds)
    peak = xp.where(limit < np.float32(np.inf), size, np.float32(0)).max(axis=1)
    low = largest_nearby(xp, peak, guard_samples) * np.float32(peak_fraction)
    crowded = (size > xp.maximum(limit, low[:, None])).sum(axis=1) >= n_channels_min
    found = largest_nearby(xp, crowded.astype(np.float32), guard_samples)
    core = traces[before : len(traces) - after].astype(np.float32)
    return xp.where(found[before : len(traces) - after, None] > 0, np.float32(0), core)


def largest_nearby(xp: Any, values: Any, reach: int) -> Any:
    """Largest value within ``reach`` of each; the windows double until they are long enough."""
    padded = xp.concatenate([xp.zeros(reach, dtype=np.float32), values, xp.zeros(reach, dtype=np.float32)])
    length, wanted = 1, 2 * reach + 1
    while length < wanted:
        step = min(length, wanted - length)
        padded = xp.maximum(padded[:-step], padded[step:])
        length += step
    return padded
