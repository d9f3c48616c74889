"""Noise level of each channel: median absolute deviation, standard deviation or root mean square."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import empty, zeros
from xephys.kernels.lib.constants import MAD_OF_NORMAL
from xephys.kernels.lib.inner import kernel
from xephys.kernels.lib.lanes import LANES, prefetch, transpose
from xephys.kernels.lib.median import median_deviations

AHEAD = 32  # rows that are fetched ahead: enough for memory to answer in time


def noise_levels(traces: NDArray[Any], *, method: str = "mad") -> NDArray[np.float64]:
    """Noise level of each channel over all samples given.

    Parameters
    ----------
    traces
        Shape (sample, channel), any integer or real dtype; medians are those of the float32 values.
    method
        ``"mad"``: median |x − median x| / 0.6744897501960817, exact; robust to spikes.
        ``"std"``: standard deviation about the mean. ``"rms"``: root mean square about zero.

    Returns
    -------
    ndarray
        Shape (channel,), float64, in the unit of ``traces``; NaN for a channel that contains a NaN.

    Raises
    ------
    ValueError
        If the method is unknown, or there is no sample.

    Examples
    --------
    >>> import numpy as np
    >>> noise_levels(np.array([[1.0, 0.0], [2.0, 4.0], [3.0, 0.0]]), method="rms").round(3)
    array([2.16 , 2.309])
    """
    if method not in METHODS:
        raise ValueError(f"method is {method!r}, but must be one of {', '.join(map(repr, METHODS))}")
    if traces.ndim != 2 or len(traces) == 0:
        raise ValueError(f"traces has shape {traces.shape}, but a noise level needs (sample, channel), not empty")
    levels = np.empty(traces.shape[1])
    for first in range(0, traces.shape[1], LANES):
        levels[first : first + LANES] = METHODS[method](traces, first, min(first + LANES, traces.shape[1]))
    return levels


def median_absolute_deviation(traces: NDArray[Any], first: int, stop: int) -> NDArray[np.float64]:
    """Median absolute deviation of some channels, over that of a normal distribution."""
    if traces.dtype == np.float32 and traces.flags.c_contiguous:
        columns = _columns(traces.reshape(-1), traces.shape[1], first, stop - first)
    else:
        columns = np.ascontiguousarray(traces[:, first:stop].T, np.float32)
    deviations: NDArray[np.float64] = median_deviations(columns, True)
    return deviations / MAD_OF_NORMAL


def standard_deviation(traces: NDArray[Any], first: int, stop: int) -> NDArray[np.float64]:
    """Standard deviation of some channels about their means."""
    spreads: NDArray[np.float64] = _spreads(np.ascontiguousarray(traces[:, first:stop]))
    return spreads


def root_mean_square(traces: NDArray[Any], first: int, stop: int) -> NDArray[np.float64]:
    """Root mean square of some channels."""
    return np.asarray(np.sqrt(np.mean(np.square(traces[:, first:stop].T, dtype=np.float64), axis=1)))


#: One row per method.
METHODS = {"mad": median_absolute_deviation, "std": standard_deviation, "rms": root_mean_square}


@kernel
def _columns(rows, n_channels, first, width):  # type: ignore[no-untyped-def]
    """The transpose of some columns of rows that lie one after another.

    Each row is in another page of memory, and no processor foresees that, so the rows are fetched ahead.
    """
    n = rows.size // n_channels
    columns = empty((width, n), np.float32)
    flat = columns.reshape(-1)
    whole = n // LANES * LANES if width == LANES else 0
    for t in range(0, whole, LANES):
        for ahead in range(t + AHEAD, t + AHEAD + LANES):
            prefetch(rows, min(ahead, n - 1) * n_channels + first)
        transpose(rows, t * n_channels + first, n_channels, flat, t, n)
    for t in range(whole, n):
        for c in range(width):
            columns[c, t] = rows[t * n_channels + first + c]
    return columns


@kernel
def _spreads(rows):  # type: ignore[no-untyped-def]
    """Standard deviation of each column of ``rows``."""
    n, channels = rows.shape
    means, squares = zeros(channels), zeros(channels)
    for t in range(n):
        for c in range(channels):
            means[c] += rows[t, c]
    means /= n
    for t in range(n):
        for c in range(channels):
            squares[c] += (rows[t, c] - means[c]) ** 2
    return np.sqrt(squares / n)
