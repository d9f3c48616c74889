"""Statistics of every unit from the table of all spikes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.records import count_labels, order_by_label, row_blocks
from xephys.kernels.metrics.refractory import is_refractory, refractoriness
from xephys.kernels.metrics.spike_trains import refractory_contamination


def split_trains(
    samples: NDArray[np.int64], units: NDArray[np.integer[Any]], *, n_units: int
) -> list[NDArray[np.int64]]:
    """Sorted samples of each unit.

    Parameters
    ----------
    samples : (n_spikes,) int64
    units : (n_spikes,) int
        Negative for spikes without a unit.
    n_units : int

    Returns
    -------
    trains : list of (n,) int64
        One array per unit, empty for a unit without spikes.

    Examples
    --------
    >>> [train.tolist() for train in split_trains(np.array([7, 3, 5, 9]), np.array([0, 0, -1, 2]), n_units=3)]
    [[3, 7], [], [9]]
    """
    ends = np.cumsum(np.append(0, count_labels(units, n_labels=n_units)[:n_units]))
    joined, free = np.empty(ends[-1], samples.dtype), ends[:-1].copy()
    for block in row_blocks(len(units)):
        order = order_by_label(units[block])
        bounds = np.searchsorted(units[block][order], np.arange(n_units + 1))
        order, own = order[bounds[0] : bounds[-1]], np.diff(bounds)
        joined[np.repeat(free - bounds[:-1] + bounds[0], own) + np.arange(len(order))] = samples[block][order]
        free += own
    trains = [joined[a:b] for a, b in pairwise(ends.tolist())]
    for train in trains:
        train.sort()
    return trains


def refractory_contaminations(
    samples: NDArray[np.int64],
    units: NDArray[np.integer[Any]],
    *,
    n_units: int,
    duration_samples: int,
    refractory_samples: int,
    censored_samples: int = 0,
) -> NDArray[np.float64]:
    """Contamination of every unit: see :func:`refractory_contamination`.

    Parameters
    ----------
    samples : (n_spikes,) int64
    units : (n_spikes,) int
    n_units : int
    duration_samples, refractory_samples, censored_samples : int

    Returns
    -------
    contamination : (n_units,) float64
        NaN for a unit with fewer than two spikes.

    Examples
    --------
    >>> every_ten_ms, limits = np.arange(0, 30_000, 300), {"duration_samples": 30_000, "refractory_samples": 30}
    >>> refractory_contaminations(every_ten_ms, np.zeros(100, int), n_units=2, **limits).tolist()
    [0.0, nan]
    """
    return np.array(
        [
            refractory_contamination(
                train,
                duration_samples=duration_samples,
                refractory_samples=refractory_samples,
                censored_samples=censored_samples,
            )
            for train in split_trains(samples, units, n_units=n_units)
        ],
        np.float64,
    )


def refractory_ratios(
    samples: NDArray[np.int64],
    units: NDArray[np.integer[Any]],
    *,
    n_units: int,
    bin_samples: int,
    ratio_max: float,
    chance_max: float,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Smallest central rate of every unit's auto-correlogram, and whether it has a refractory period.

    Parameters
    ----------
    samples : (n_spikes,) int64
    units : (n_spikes,) int
    n_units : int
    bin_samples : int
        Number of samples in a bin of 1 ms.
    ratio_max, chance_max : float
        As in :func:`is_refractory`.

    Returns
    -------
    ratio : (n_units,) float64
    refractory : (n_units,) bool

    Examples
    --------
    >>> regular = np.arange(0, 3_000_000, 600)
    >>> limits = {"bin_samples": 30, "ratio_max": 0.2, "chance_max": 0.2}
    >>> ratio, refractory = refractory_ratios(regular, np.zeros(5000, int), n_units=1, **limits)
    >>> ratio.tolist(), refractory.tolist()
    ([0.0], [True])
    """
    trains = split_trains(samples, units, n_units=n_units)
    found = [refractoriness(train, bin_samples=bin_samples) for train in trains]
    ratio = np.array([one.ratio for one in found], np.float64)
    return ratio, np.array([is_refractory(one, ratio_max=ratio_max, chance_max=chance_max) for one in found], bool)


def unit_medians(
    values: NDArray[np.floating[Any]], units: NDArray[np.integer[Any]], *, n_units: int
) -> NDArray[np.floating[Any]]:
    """Median of the spikes of each unit.

    Parameters
    ----------
    values : (n_spikes,) float
    units : (n_spikes,) int
        Every unit has spikes.
    n_units : int

    Returns
    -------
    (n_units,) float

    Examples
    --------
    >>> unit_medians(np.array([1.0, 9.0, 2.0, 3.0]), np.array([0, 1, 0, 0]), n_units=2).tolist()
    [2.0, 9.0]
    """
    return np.array([np.median(values[units == unit]) for unit in range(n_units)])
