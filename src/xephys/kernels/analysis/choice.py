"""Choose spikes at random by their content, so that the choice does not depend on other units or on their order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.splitmix import splitmix

#: Increment of the generator: the odd number nearest to 2**64 divided by the golden ratio.
STEP = np.uint64(0x9E3779B97F4A7C15)


def spike_lots(samples: NDArray[np.int64], segments: NDArray[np.int64], *, seed: int) -> NDArray[np.uint64]:
    """A pseudo-random number for each spike, determined by its segment, its sample and the seed.

    Parameters
    ----------
    samples, segments : (spike,) int64
    seed : int

    Returns
    -------
    (spike,) uint64
        The finalizer of SplitMix64 (Steele, Lea & Flood 2014), applied twice.

    Examples
    --------
    >>> lots = spike_lots(np.array([5, 6, 5]), np.array([0, 0, 1]), seed=0)
    >>> len(set(lots.tolist())), bool((lots == spike_lots(np.array([5, 6, 5]), np.array([0, 0, 1]), seed=0)).all())
    (3, True)
    """
    with np.errstate(over="ignore"):
        state = splitmix(samples.astype(np.uint64) + STEP * np.uint64(seed + 1) + STEP)
        return np.asarray(splitmix(state + segments.astype(np.uint64) + STEP))


def chosen_spikes(
    units: NDArray[np.int64], lots: NDArray[np.uint64], *, n_units: int, n_spikes_max: int
) -> NDArray[np.bool_]:
    """Choose at most a given number of spikes of each unit: those with the smallest lots.

    Examples
    --------
    >>> chosen_spikes(np.array([0, 1, 0]), np.array([7, 9, 3], np.uint64), n_units=2, n_spikes_max=1).tolist()
    [False, True, True]
    """
    order = np.lexsort((lots, units))
    first = np.searchsorted(units[order], np.arange(n_units))
    chosen = np.zeros(len(units), bool)
    if len(units):
        rank = np.arange(len(units)) - first[units[order]]
        chosen[order[rank < n_spikes_max]] = True
    return chosen
