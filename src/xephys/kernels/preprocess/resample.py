"""Change the sampling rate: a low-pass of finite length, of which only the wanted samples are computed."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import empty
from xephys.kernels.lib.inner import kernel

#: Length of the low-pass, in samples of the slower of the two rates on either side.
HALF_LENGTH = 10
#: Shape of its Kaiser window.
KAISER_BETA = 5.0


def resample_reach(*, up: int, down: int) -> int:
    """Number of samples of the given rate that a sample of the other rate needs on either side.

    Examples
    --------
    >>> resample_reach(up=1, down=10), resample_reach(up=3, down=1)
    (100, 10)
    """
    return -(-HALF_LENGTH * max(up, down) // up)


def resample(traces: NDArray[Any], *, first: int, start: int, n: int, up: int, down: int) -> NDArray[np.float32]:
    """Samples at ``up / down`` times the rate.

    Sample m of the result is at ``m * down / up`` on the axis of the traces. Each is a sum over fixed samples in a
    fixed order, whatever the block.

    Parameters
    ----------
    traces
        Shape (row, channel): the samples from number ``first`` on, including ``resample_reach`` samples before the
        first position and after the last.
    first
        Number of the first row.
    start, n
        Which samples of the result: ``[start, start + n)``.
    up, down
        Integers without a common divisor.

    Returns
    -------
    float32 (n, channel)

    Examples
    --------
    >>> slow = resample(np.ones((500, 1), np.float32), first=-200, start=0, n=3, up=1, down=10)
    >>> slow.ravel().round(4)
    array([1., 1., 1.], dtype=float32)
    """
    out = np.empty((n, traces.shape[1]), np.float32)
    if n:
        _polyphase(np.ascontiguousarray(traces, np.float32), first, start, up, down, _low_pass(up, down), out)
    return out


def take_every(traces: NDArray[Any], *, first: int, start: int, n: int, up: int, down: int) -> NDArray[Any]:
    """Samples ``down`` apart, unchanged; the parameters are those of `resample`, and ``up`` is 1.

    Examples
    --------
    >>> take_every(np.arange(10)[:, None], first=20, start=7, n=2, up=1, down=3).ravel()
    array([1, 4])
    """
    rows = (start + np.arange(n)) * down - first
    return np.ascontiguousarray(traces[rows])


@cache
def _low_pass(up: int, down: int) -> NDArray[np.float64]:
    """Taps at ``up`` times the rate of the traces; the corner is the Nyquist frequency of the slower rate."""
    from scipy.signal import firwin

    fastest = max(up, down)
    taps: NDArray[np.float64] = firwin(2 * HALF_LENGTH * fastest + 1, 1.0 / fastest, window=("kaiser", KAISER_BETA))
    return taps * up


@kernel
def _polyphase(traces, first, start, up, down, taps, out):  # type: ignore[no-untyped-def]
    n, channels = out.shape
    half = len(taps) // 2
    total = empty(channels)
    for k in range(n):
        place = (start + k) * down
        low = -((half - place) // up)
        high = (place + half) // up
        total[:] = 0.0
        for j in range(low, high + 1):
            weight = taps[half + place - j * up]
            for c in range(channels):
                total[c] += weight * traces[j - first, c]
        for c in range(channels):
            out[k, c] = total[c]
