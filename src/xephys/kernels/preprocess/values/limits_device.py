"""Clip, blank or rectify values on a device."""

from __future__ import annotations

from typing import Any

import numpy as np


def clip(xp: Any, traces: Any, *, before: int = 0, after: int = 0, low: float | None, high: float | None) -> Any:
    """As `xephys.kernels.preprocess.values.limits.clip`."""
    values = traces[before : len(traces) - after].astype(np.float32)
    if low is not None:
        values = xp.where(values < np.float32(low), np.float32(low), values)
    if high is not None:
        values = xp.where(values > np.float32(high), np.float32(high), values)
    return values


def rectify(xp: Any, traces: Any, *, before: int = 0, after: int = 0) -> Any:
    """As `xephys.kernels.preprocess.values.limits.rectify`."""
    values = traces[before : len(traces) - after].astype(np.float32)
    return xp.where(values < np.float32(0), -values, values)


def blank_beyond(
    xp: Any,
    traces: Any,
    *,
    before: int = 0,
    after: int = 0,
    low: float | None,
    high: float | None,
    fill_value: float,
) -> Any:
    """As `xephys.kernels.preprocess.values.limits.blank_beyond`."""
    values = traces[before : len(traces) - after].astype(np.float32)
    fill = np.float32(fill_value)
    blanked = values
    if low is not None:
        blanked = xp.where(values <= np.float32(low), fill, blanked)
    if high is not None:
        blanked = xp.where(values >= np.float32(high), fill, blanked)
    return blanked
