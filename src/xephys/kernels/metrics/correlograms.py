"""Correlograms of all pairs of units in one sweep, interval histograms, and correlograms by firing rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import zeros
from xephys.kernels.lib.inner import kernel


@kernel
def add_pairs(
    counts: NDArray[np.int64],
    samples: NDArray[np.int64],
    units: NDArray[np.int64],
    wanted: NDArray[np.bool_],
    bin_samples: int,
    n_half: int,
) -> None:
    """Add the pairs of spikes of one segment to the correlograms of their units.

    Parameters
    ----------
    counts : (unit, unit, 2 * n_half) int64
        Bin b of ``counts[a, b]`` counts the pairs in which the spike of ``a`` follows that of ``b`` by a lag in
        ``[(b - n_half) * bin_samples, … + bin_samples)``, also for negative lags. A spike is not paired with itself,
        but with others on the same sample.
    samples : (spike,) int64
        Ascending.
    units : (spike,) int64
    wanted : (unit,) bool
        Pairs of which neither unit is wanted are left out.
    bin_samples, n_half : int
        Length of a bin, and number of bins on each side.

    Examples
    --------
    >>> counts = np.zeros((2, 2, 4), np.int64)
    >>> add_pairs(counts, np.array([0, 3]), np.array([0, 1]), np.ones(2, bool), 2, 2)
    >>> counts[1, 0].tolist(), counts[0, 1].tolist()
    ([0, 0, 0, 1], [1, 0, 0, 0])
    """
    reach = bin_samples * n_half
    for i in range(samples.size):
        for j in range(i + 1, samples.size):
            lag = samples[j] - samples[i]
            if lag > reach:
                break
            a, b = units[i], units[j]
            if not (wanted[a] or wanted[b]):
                continue
            if lag < reach:
                counts[b, a, n_half + lag // bin_samples] += 1
            counts[a, b, n_half + (-lag) // bin_samples] += 1


@kernel
def add_own_pairs(
    counts: NDArray[np.int64], samples: NDArray[np.int64], bounds: NDArray[np.int64], bin_samples: int, n_half: int
) -> None:
    """Add the pairs of spikes within each train to its autocorrelogram.

    Parameters
    ----------
    counts : (unit, 2 * n_half) int64
    samples : (spike,) int64
        Train after train, each in ascending order.
    bounds : (unit + 1,) int64
        Start of each train.
    bin_samples, n_half : int

    Examples
    --------
    >>> counts = np.zeros((1, 4), np.int64)
    >>> add_own_pairs(counts, np.array([0, 3]), np.array([0, 2]), 2, 2)
    >>> counts.tolist()
    [[1, 0, 0, 1]]
    """
    reach = bin_samples * n_half
    for unit in range(bounds.size - 1):
        for i in range(bounds[unit], bounds[unit + 1]):
            for j in range(i + 1, bounds[unit + 1]):
                lag = samples[j] - samples[i]
                if lag > reach:
                    break
                if lag < reach:
                    counts[unit, n_half + lag // bin_samples] += 1
                counts[unit, n_half + (-lag) // bin_samples] += 1


@kernel
def add_intervals(
    counts: NDArray[np.int64], samples: NDArray[np.int64], bounds: NDArray[np.int64], bin_samples: int
) -> None:
    """Add the intervals between successive spikes of each train to its histogram; the last bin is closed.

    Parameters
    ----------
    counts : (unit, bin) int64
    samples, bounds
        As in :func:`add_own_pairs`.

    Examples
    --------
    >>> counts = np.zeros((1, 2), np.int64)
    >>> add_intervals(counts, np.array([0, 1, 5, 9]), np.array([0, 4]), 2)
    >>> counts.tolist()
    [[1, 2]]
    """
    n_bins = counts.shape[1]
    for unit in range(bounds.size - 1):
        for i in range(bounds[unit] + 1, bounds[unit + 1]):
            interval = samples[i] - samples[i - 1]
            if interval <= n_bins * bin_samples:
                counts[unit, min(interval // bin_samples, n_bins - 1)] += 1


def rate_correlogram(
    trains: list[NDArray[np.int64]],
    *,
    bin_samples: int,
    bin_ms: float,
    n_half: int,
    n_quantiles: int,
    smooth_ms: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Autocorrelogram of one unit for each quantile of its momentary firing rate (Beau et al. 2025, Cell 188:2218).

    Parameters
    ----------
    trains : list of (n,) int64
        Samples of the unit, one train per segment.
    bin_samples, bin_ms
        Length of a bin.
    n_half : int
        Number of bins on each side of the central one.
    n_quantiles : int
        Number of quantiles of the firing rate at the spikes, taken from the first segment with at least two spikes.
    smooth_ms
        Length of the boxcar that smooths the firing rate.

    Returns
    -------
    correlogram : (n_quantiles, 2 * n_half + 1) float64
        Probability of a spike at each lag; 0 at lag 0 and for rates that no spike has.
    rates : (n_quantiles,) float64
        Hertz.

    Examples
    --------
    >>> every = np.arange(0, 30_000, 300)
    >>> acg, rates = rate_correlogram([every], bin_samples=30, bin_ms=1.0, n_half=10, n_quantiles=1, smooth_ms=50.0)
    >>> acg.argmax(axis=1).tolist()
    [0]
    """
    counts, spikes = np.zeros((n_quantiles, 2 * n_half + 1)), np.zeros(n_quantiles)
    size = int(np.ceil(smooth_ms / bin_ms)) if smooth_ms > 0 else 0
    limits: NDArray[np.float64] | None = None
    for train in trains:
        bins = train // bin_samples
        if len(bins) <= 1:
            continue
        rate = rates_at_spikes(bins, bin_ms / 1000, size)
        if limits is None:
            limits = np.quantile(rate, np.linspace(0, 1, n_quantiles + 2)[1:-1])
        number = np.minimum(np.searchsorted(limits, rate, side="left"), n_quantiles - 1)
        _add_around(counts, spikes, bins, number, n_half)
    correlogram = np.divide(counts, spikes[:, None], out=np.zeros_like(counts), where=spikes[:, None] > 0)
    correlogram[:, n_half] = 0
    return correlogram, np.zeros(n_quantiles) if limits is None else limits


@kernel
def _add_around(
    counts: NDArray[np.float64],
    spikes: NDArray[np.float64],
    bins: NDArray[np.int64],
    number: NDArray[np.int64],
    n_half: int,
) -> None:
    """Add the lags of the bins with spikes around each spike to the row of the spike's quantile, and count the spikes.

    Spikes too early for a whole window are left out, and those of the last bin.
    """
    first = 0
    for i in range(bins.size):
        if bins[i] < n_half or bins[i] == bins[-1]:
            continue
        spikes[number[i]] += 1
        while bins[first] < bins[i] - n_half:
            first += 1
        for j in range(first, bins.size):
            if bins[j] > bins[i] + n_half:
                break
            if j == first or bins[j] > bins[j - 1]:
                counts[number[i], n_half + bins[j] - bins[i]] += 1


@kernel
def rates_at_spikes(bins: NDArray[np.int64], bin_s: float, size: int) -> NDArray[np.float64]:
    """Firing rate in the bin of each spike, averaged over ``size`` bins around it, or not averaged if that is 0.

    Around a spike, the rate is the inverse of the distance between the middles of its two intervals; before the first
    middle and after the last one it is 0. A window that reaches beyond the first or last bin is cut off there.

    Parameters
    ----------
    bins : (spike,) int64
        Ascending; at least two.
    bin_s : float
    size : int

    Examples
    --------
    >>> rates_at_spikes(np.array([0, 10, 20, 30]), 0.001, 4).tolist()
    [0.0, 100.0, 100.0, 0.0]
    """
    n_bins, half = bins[-1] + 1, size // 2
    middles = bins[:-1] + (bins[1:] - bins[:-1]) // 2
    rates = zeros(bins.size)
    first = 0
    for i in range(bins.size):
        if size == 0:
            low, high = bins[i], bins[i] + 1
        elif bins[i] < size or bins[i] >= n_bins - size:
            low, high = max(0, bins[i] - half), min(n_bins, bins[i] + half)
        else:
            low = bins[i] + (size - 1) // 2 - size + 1
            high = low + size
        while first + 2 < middles.size and middles[first + 1] <= low:
            first += 1
        total = 0.0
        for k in range(first, middles.size - 1):
            if middles[k] >= high:
                break
            shared = min(high, middles[k + 1]) - max(low, middles[k])
            if shared > 0:
                total += shared / ((middles[k + 1] - middles[k]) * bin_s)
        rates[i] = total / max(high - low, 1)
    return rates


def rate_correlograms(
    segments: list[tuple[NDArray[np.int64], NDArray[np.int64]]],
    *,
    n_units: int,
    bin_samples: int,
    bin_ms: float,
    n_half: int,
    n_quantiles: int,
    smooth_ms: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """:func:`rate_correlogram` of every unit.

    Parameters
    ----------
    segments : list of (samples, bounds)
        For each segment, the samples train after train, and the start of each train.
    n_units, bin_samples, bin_ms, n_half, n_quantiles, smooth_ms
        As in :func:`rate_correlogram`.

    Returns
    -------
    correlograms : (unit, n_quantiles, 2 * n_half + 1) float64
    rates : (unit, n_quantiles) float64

    Examples
    --------
    >>> one = (np.arange(0, 30_000, 300), np.array([0, 100]))
    >>> rate_correlograms([one], n_units=1, bin_samples=30, bin_ms=1.0, n_half=5, n_quantiles=2, smooth_ms=0)[0].shape
    (1, 2, 11)
    """
    correlograms, rates = np.zeros((n_units, n_quantiles, 2 * n_half + 1)), np.zeros((n_units, n_quantiles))
    for unit in range(n_units):
        trains = [samples[bounds[unit] : bounds[unit + 1]] for samples, bounds in segments]
        correlograms[unit], rates[unit] = rate_correlogram(
            trains, bin_samples=bin_samples, bin_ms=bin_ms, n_half=n_half, n_quantiles=n_quantiles, smooth_ms=smooth_ms
        )
    return correlograms, rates
