"""Noise level of each channel: median absolute deviation, standard deviation or root mean square."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import zeros
from xephys.kernels.lib.constants import MAD_OF_NORMAL
from xephys.kernels.lib.inner import kernel
from xephys.kernels.lib.median import median_deviations

COLUMNS = 16  # channels transposed at a time: one cache line of float32


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
    for first in range(0, traces.shape[1], COLUMNS):
        levels[first : first + COLUMNS] = METHODS[method](traces[:, first : first + COLUMNS].T)
    return levels


def median_absolute_deviation(columns: NDArray[Any]) -> NDArray[np.float64]:
    """Median absolute deviation of each row, over that of a normal distribution."""
    deviations: NDArray[np.float64] = median_deviations(np.ascontiguousarray(columns, np.float32), True)
    return deviations / MAD_OF_NORMAL


def standard_deviation(columns: NDArray[Any]) -> NDArray[np.float64]:
    """Standard deviation of each row about its mean."""
    spreads: NDArray[np.float64] = _spreads(np.ascontiguousarray(columns.T))
    return spreads


def root_mean_square(columns: NDArray[Any]) -> NDArray[np.float64]:
    """Root mean square of each row."""
    return np.asarray(np.sqrt(np.mean(np.square(columns, dtype=np.float64), axis=1)))


#: One row per method.
METHODS = {"mad": median_absolute_deviation, "std": standard_deviation, "rms": root_mean_square}


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
