"""The spike waveform assumed where none has been learned."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Width of the Gaussian trough.
PROTOTYPE_SIGMA_MS = 0.25


def trough_prototype(n_samples: int, *, nbefore: int, sampling_frequency: float) -> NDArray[np.float64]:
    """A negative Gaussian with its trough at ``nbefore``.

    Examples
    --------
    >>> trough_prototype(3, nbefore=1, sampling_frequency=4000.0).round(2).tolist()
    [-0.61, -1.0, -0.61]
    """
    times_ms = (np.arange(n_samples) - nbefore) / sampling_frequency * 1e3
    prototype: NDArray[np.float64] = -np.exp(-0.5 * (times_ms / PROTOTYPE_SIGMA_MS) ** 2)
    return prototype
