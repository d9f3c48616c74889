"""Gather windows of traces on a device, in parts of bounded size."""

from __future__ import annotations

from typing import Any

import numpy as np

#: Number of values in a gathered block of waveforms: 64 MB in float32.
GATHERED = 1 << 24


def event_parts(n: int, numbers_each: int) -> list[slice]:
    """Slices of ``n`` events, each small enough for its waveforms to be gathered at once."""
    size = max(1, GATHERED // max(1, numbers_each))
    return [slice(first, min(first + size, n)) for first in range(0, n, size)]


def gathered_windows(xp: Any, traces: Any, rows: Any, channels: Any, length: int) -> Any:
    """Waveforms (event, sample, slot) from ``rows`` on; zero in slots without a channel."""
    window = rows[:, None] + xp.arange(length)
    waveforms = traces[window[:, :, None], channels[:, None, :]]
    return xp.where(channels[:, None, :] >= 0, waveforms, np.float32(0))
