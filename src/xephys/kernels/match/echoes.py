"""Find echoes: spikes that a unit fires beside those of a larger one, but only while channels are silent.

The samples that fill a silent channel are not the waveform of a nearby neuron, and the residual of its template there
may look like a spike of another unit. Neurons that really fire together also do so while nothing is silent.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import zeros
from xephys.kernels.lib.inner import kernel


@kernel
def _count_beside(
    samples: NDArray[np.int64],
    units: NDArray[np.int64],
    gains: NDArray[np.float64],
    silent: NDArray[np.bool_],
    n_units: int,
    reach_samples: int,
) -> NDArray[np.int64]:
    """Number of spikes of each unit beside a larger one of each other unit: (live or silent, unit, larger unit)."""
    beside = zeros((2, n_units, n_units), np.int64)
    for i in range(samples.size):
        for step in (-1, 1):
            j = i + step
            while 0 <= j < samples.size and abs(samples[j] - samples[i]) <= reach_samples:
                if units[j] != units[i] and gains[j] > gains[i]:
                    beside[int(silent[i]), units[i], units[j]] += 1
                j += step
    return beside


@kernel
def _mark_beside(
    samples: NDArray[np.int64],
    units: NDArray[np.int64],
    gains: NDArray[np.float64],
    silent: NDArray[np.bool_],
    echoes: NDArray[np.bool_],
    reach_samples: int,
) -> NDArray[np.bool_]:
    """Mask of the spikes in silence beside a larger spike of a unit whose echoes they may be."""
    marked = zeros(samples.size, np.bool_)
    for i in range(samples.size):
        for step in (-1, 1):
            j = i + step
            while silent[i] and 0 <= j < samples.size and abs(samples[j] - samples[i]) <= reach_samples:
                marked[i] |= echoes[units[i], units[j]] and gains[j] > gains[i]
                j += step
    return marked


def find_echoes(
    samples: NDArray[np.int64],
    units: NDArray[np.int64],
    gains: NDArray[np.float64],
    *,
    silent: NDArray[np.bool_],
    n_units: int,
    reach_samples: int,
    deviation_min: float = 3.0,
) -> NDArray[np.bool_]:
    """Mask of the spikes in silence that are the residual of a larger spike beside them.

    They belong to pairs of units whose smaller spike occurs beside the larger one more often in silence than expected
    from the spikes outside it.

    Parameters
    ----------
    samples : (spike,) int64
        In ascending order.
    units : (spike,) int64
    gains : (spike,) float64
        Gain of each spike; of two spikes, the one with the smaller gain may be the echo.
    silent : (spike,) bool
        Whether a channel around the spike is silent.
    n_units : int
    reach_samples : int
        Maximum distance between the two spikes of a pair.
    deviation_min : float
        Minimum number of standard deviations by which pairs in silence exceed the expected number.

    Returns
    -------
    echo : (spike,) bool

    Examples
    --------
    >>> first = np.arange(0, 100_000, 1000)
    >>> samples = np.sort(np.concatenate([first, first[50:] + 3]))
    >>> units = np.where(samples % 1000 == 0, 0, 1)
    >>> gains, silent = np.where(units == 0, 400.0, 40.0), samples >= 50_000
    >>> echo = find_echoes(samples, units, gains, silent=silent, n_units=2, reach_samples=10)
    >>> int(echo.sum()), np.unique(units[echo]).tolist()
    (50, [1])
    """
    beside = _count_beside(samples, units, gains, silent, n_units, reach_samples)
    n_live, n_silent = (np.bincount(units[silent == kind], minlength=n_units) for kind in (False, True))
    expected = n_silent * (beside[0] + 1) / (n_live + 1)
    echoes = beside[1] > expected + deviation_min * np.sqrt(expected)
    marked: NDArray[np.bool_] = _mark_beside(samples, units, gains, silent, echoes, reach_samples)
    return marked
