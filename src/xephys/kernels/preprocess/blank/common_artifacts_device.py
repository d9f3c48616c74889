"""Artifacts of many channels on a device: counts and largest values by sample, spread over the guard."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.dispatch import as_it_is, resident
from xephys.kernels.preprocess.blank.guard_device import blanked, largest_nearby, within_guard


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
    """As `xephys.kernels.preprocess.blank.common_artifacts.blank_common_artifacts`."""
    size = abs(traces.astype(np.float32))
    limit = resident(xp, as_it_is, thresholds)
    peak = xp.where(limit < np.float32(np.inf), size, np.float32(0)).max(axis=1)
    low = largest_nearby(xp, peak, guard_samples) * np.float32(peak_fraction)
    crowded = (size > xp.maximum(limit, low[:, None])).sum(axis=1) >= n_channels_min
    return blanked(xp, traces, within_guard(xp, crowded, guard_samples), before=before, after=after)
