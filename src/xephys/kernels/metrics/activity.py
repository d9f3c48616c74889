"""When units are active: in which parts of the recording, over which range of rates, and together with others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Sizes of groups of spikes on one sample.
SYNCHRONY_SIZES = (2, 4, 8)


def bin_edges(n_samples: NDArray[np.int64], bin_samples: int) -> NDArray[np.int64]:
    """Edges of bins over consecutive segments; only in the last segment do they end with a whole bin.

    Examples
    --------
    >>> bin_edges(np.array([25, 38]), 10).tolist()
    [0, 10, 20, 25, 35, 45, 55]
    """
    starts = np.concatenate([[0], np.cumsum(n_samples)[:-1]])
    ends = starts + n_samples
    ends[-1] = ends[-1] // bin_samples * bin_samples + 1
    return np.concatenate([np.arange(a, b, bin_samples) for a, b in zip(starts, ends, strict=True)])


def counts_in_bins(
    samples: NDArray[np.int64], bounds: NDArray[np.int64], edges: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Number of spikes of each train in each bin ``(unit, bin)``; the last bin is closed.

    Parameters
    ----------
    samples : (spike,) int64
        Train after train, each in ascending order.
    bounds : (unit + 1,) int64
        Start of each train.
    edges : (bin + 1,) int64

    Examples
    --------
    >>> counts_in_bins(np.array([1, 5, 10]), np.array([0, 3]), np.array([0, 5, 10])).tolist()
    [[1, 2]]
    """
    n_units = len(bounds) - 1
    out = np.zeros((n_units, max(len(edges) - 1, 0)), np.int64)
    for unit in range(n_units):
        if len(edges) > 1:
            out[unit] = np.histogram(samples[bounds[unit] : bounds[unit + 1]], edges)[0]
    return out


def presence_ratios(
    counts: NDArray[np.int64], num_spikes: NDArray[np.int64], thresholds: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Share of bins with more spikes than the unit's threshold; NaN for a unit without spikes.

    Examples
    --------
    >>> presence_ratios(np.array([[1, 0], [0, 0]]), np.array([1, 0]), np.zeros(2)).tolist()
    [0.5, nan]
    """
    n_bins = counts.shape[1]
    ratio = (counts > thresholds[:, None]).sum(axis=1) / n_bins if n_bins else np.zeros(len(counts))
    return np.asarray(np.where(num_spikes > 0, ratio, np.nan))


def firing_ranges(rates: NDArray[np.float64], num_spikes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Difference between the 95th and the 5th percentile of the rates in bins; NaN for a unit without spikes.

    Examples
    --------
    >>> firing_ranges(np.arange(21.0)[None], np.array([9])).tolist()
    [18.0]
    """
    if not rates.size:
        return np.full(len(rates), np.nan)
    low, high = np.percentile(rates, (5, 95), axis=1)
    return np.asarray(np.where(num_spikes > 0, high - low, np.nan))


def synchrony(moments: NDArray[np.int64], units: NDArray[np.int64], *, n_units: int) -> NDArray[np.float64]:
    """Share of each unit's spikes on samples with at least 2, 4 or 8 spikes of any unit (Grün et al. 2007).

    Parameters
    ----------
    moments : (spike,) int64
        Ascending numbers that are equal for spikes on the same sample of the same segment.
    units : (spike,) int64
    n_units : int

    Returns
    -------
    (unit, 3) float64
        Two spikes of a unit on one sample count once. -1 for a unit without spikes.

    Examples
    --------
    >>> synchrony(np.array([5, 5, 7]), np.array([0, 1, 0]), n_units=3)[:, 0].tolist()
    [0.5, 1.0, -1.0]
    """
    _, group, sizes = np.unique(moments, return_inverse=True, return_counts=True)
    members = np.unique(group * n_units + units) if len(moments) else np.zeros(0, np.int64)
    num_spikes = np.bincount(units, minlength=n_units)
    out = np.full((n_units, len(SYNCHRONY_SIZES)), -1.0)
    for k, size in enumerate(SYNCHRONY_SIZES):
        together = members[sizes[members // n_units] >= size] % n_units
        found = np.bincount(together, minlength=n_units)
        np.divide(found, num_spikes, out=out[:, k], where=num_spikes > 0)
    return out
