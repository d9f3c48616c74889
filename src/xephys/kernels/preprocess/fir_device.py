"""Filters of finite length on a device."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.cuda import has_cuda_kernels
from xephys.kernels.lib.dispatch import resident


def fir_filter(xp: Any, traces: Any, *, before: int, after: int, taps: Any) -> Any:
    """As `xephys.kernels.preprocess.fir.fir_filter`: one addition and one multiplication per pair of weights."""
    reach = len(taps) // 2
    n = len(traces) - before - after
    if has_cuda_kernels(xp):
        from xephys.kernels.preprocess.fir_cuda import weighted_rows

        return weighted_rows(xp, traces, resident(xp, _weights, taps), first=before - reach, n=n)
    source = traces[before - reach : before + n + reach].astype(np.float32)
    filtered = source[reach : reach + n] * np.float32(taps[reach])
    for k in range(1, reach + 1):
        pair = source[reach - k : reach - k + n] + source[reach + k : reach + k + n]
        filtered += pair * np.float32(taps[reach + k])
    return filtered


def _weights(taps: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    return np.ascontiguousarray(taps[:, None], np.float32)
