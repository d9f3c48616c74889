"""Store traces as small integers with a fixed step, to be kept between passes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.dispatch import with_device_twin
from xephys.kernels.lib.inner import kernel


@with_device_twin
def quantize(traces: NDArray[Any], *, before: int = 0, after: int = 0, step: float) -> NDArray[np.int16]:
    """Number of the nearest multiple of ``step``, clipped to ±32767.

    Parameters
    ----------
    traces : (before + n + after, channel) float32
    before, after : int
        Rows to leave out.
    step : float

    Returns
    -------
    numbers : (n, channel) int16

    Examples
    --------
    >>> quantize(np.array([[0.26, -9.0], [1e9, 0.24]], "float32"), step=0.5).tolist()
    [[1, -18], [32767, 0]]
    """
    numbers = np.empty((len(traces) - before - after, traces.shape[1]), np.int16)
    _quantize(traces[before : len(traces) - after], np.float32(1.0 / step), numbers)
    return numbers


@kernel
def _quantize(traces: NDArray[np.float32], factor: np.float32, numbers: NDArray[np.int16]) -> None:
    for t in range(traces.shape[0]):
        for c in range(traces.shape[1]):
            value = np.rint(traces[t, c] * factor)
            numbers[t, c] = np.int16(min(max(value, np.float32(-32767)), np.float32(32767)))
