"""Find spikes of a unit that follow another one too soon to be a second spike of the neuron."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import zeros
from xephys.kernels.lib.inner import kernel


@kernel
def near_spikes(
    samples: NDArray[np.int64], bounds: NDArray[np.int64], within_samples: int, keep_last: bool, iterative: bool
) -> NDArray[np.bool_]:
    """Mask of the spikes that are too close to a neighbor that stays.

    Parameters
    ----------
    samples : (spike,) int64
        Train after train, each in ascending order.
    bounds : (unit + 1,) int64
        Start of each train.
    within_samples : int
        Maximum interval that is too short.
    keep_last : bool
        Of two spikes, keep the later one instead of the earlier.
    iterative : bool
        Whether only spikes that stay cause others to be removed: of three spikes, each close to the next, the outer two
        then stay if they are far enough apart. Otherwise one spike of a burst stays.

    Returns
    -------
    (spike,) bool

    Examples
    --------
    >>> near_spikes(np.array([0, 4, 8]), np.array([0, 3]), 5, False, False).tolist()
    [False, True, True]
    >>> near_spikes(np.array([0, 4, 8]), np.array([0, 3]), 5, False, True).tolist()
    [False, True, False]
    """
    gone = zeros(samples.size, np.bool_)
    for unit in range(bounds.size - 1):
        first, end = bounds[unit], bounds[unit + 1]
        for step in range(1, end - first):
            here = end - 1 - step if keep_last else first + step
            other = here + 1 if keep_last else here - 1
            if iterative:
                while gone[other]:  # the nearest one that stays; the very first always does
                    other += 1 if keep_last else -1
            gone[here] = abs(samples[here] - samples[other]) <= within_samples
    return gone
