"""Scaling on a device."""

from __future__ import annotations

from typing import Any

import numpy as np

from xephys.kernels.lib.dispatch import resident
from xephys.kernels.preprocess.reference_device import as_float32


def scale(xp: Any, traces: Any, *, before: int = 0, after: int = 0, gain: Any = 1.0, offset: Any = 0.0) -> Any:
    """As `xephys.kernels.preprocess.scale.scale`."""
    core = traces[before : len(traces) - after].astype(np.float32)
    factor, shift = (_row(xp, value) for value in (gain, offset))
    return core * factor + shift


def _row(xp: Any, value: Any) -> Any:
    """One number, or one for each channel, as float32."""
    return resident(xp, as_float32, value) if isinstance(value, np.ndarray) else np.float32(value)
