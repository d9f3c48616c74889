"""Clip, blank or rectify values, sample by sample."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.dispatch import with_device_twin


@with_device_twin
def clip(
    traces: NDArray[Any], *, before: int = 0, after: int = 0, low: float | None, high: float | None
) -> NDArray[np.float32]:
    """Clip each sample to the limits.

    Parameters
    ----------
    traces
        Shape (before + n + after, channel).
    before, after
        Rows to leave out; this stage needs none.
    low, high
        Limits in the unit of the traces; None for an open side.

    Returns
    -------
    float32 (n, channel)

    Examples
    --------
    >>> clip(np.array([[-5, 2], [0, 9]], np.int16), low=-1.0, high=None).tolist()
    [[-1.0, 2.0], [0.0, 9.0]]
    """
    lower, upper = (None if limit is None else np.float32(limit) for limit in (low, high))
    clipped: NDArray[np.float32] = np.clip(traces[before : len(traces) - after].astype(np.float32), lower, upper)
    return clipped


@with_device_twin
def rectify(traces: NDArray[Any], *, before: int = 0, after: int = 0) -> NDArray[np.float32]:
    """Absolute value of each sample, as float32.

    Examples
    --------
    >>> rectify(np.array([[-32768, 2]], np.int16)).tolist()
    [[32768.0, 2.0]]
    """
    return np.abs(traces[before : len(traces) - after].astype(np.float32))


@with_device_twin
def blank_beyond(
    traces: NDArray[Any],
    *,
    before: int = 0,
    after: int = 0,
    low: float | None,
    high: float | None,
    fill_value: float,
) -> NDArray[np.float32]:
    """Replace each sample at or beyond a limit by a value.

    Parameters
    ----------
    traces
        Shape (before + n + after, channel).
    before, after
        Rows to leave out; this stage needs none.
    low, high
        Limits in the unit of the traces; values equal to a limit are replaced. None for an open side.
    fill_value
        Replacement value.

    Returns
    -------
    float32 (n, channel)

    Examples
    --------
    >>> blank_beyond(np.array([[-5, 2], [0, 9]], np.int16), low=None, high=9.0, fill_value=1.0).tolist()
    [[-5.0, 2.0], [0.0, 1.0]]
    """
    values = traces[before : len(traces) - after].astype(np.float32)
    beyond = np.zeros(values.shape, bool)
    if low is not None:
        beyond |= values <= np.float32(low)
    if high is not None:
        beyond |= values >= np.float32(high)
    values[beyond] = np.float32(fill_value)
    return values
