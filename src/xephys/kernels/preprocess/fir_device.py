"""Filters of finite length on a device."""

from __future__ import annotations

from typing import Any

import numpy as np


def fir_filter(xp: Any, traces: Any, *, before: int, after: int, taps: Any) -> Any:
    """As `xephys.kernels.preprocess.fir.fir_filter`: one addition and one multiplication per pair of weights."""
    reach = len(taps) // 2
    n = len(traces) - before - after
    source = traces[before - reach : before + n + reach].astype(np.float32)
    filtered = source[reach : reach + n] * np.float32(taps[reach])
    for k in range(1, reach + 1):
        pair = source[reach - k : reach - k + n] + source[reach + k : reach + k + n]
        filtered += pair * np.float32(taps[reach + k])
    return filtered
