"""Correlograms of all pairs of units in one sweep, interval histograms, and correlograms by firing rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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
    width = 2 * n_half + 1
    counts, spikes = np.zeros((n_quantiles, width)), np.zeros(n_quantiles)
    limits: NDArray[np.float64] | None = None
    for train in trains:
        bins = train // bin_samples
        if len(bins) <= 1:
            continue
        n_bins = int(bins[-1]) + 1
        present = np.zeros(n_bins + width, bool)
        present[bins] = True
        rate = _rate_at_spikes(bins, n_bins, bin_ms, smooth_ms)
        if limits is None:
            limits = np.quantile(rate, np.linspace(0, 1, n_quantiles + 2)[1:-1])
        inside = (bins - n_half >= 0) & (bins + n_half + 1 < len(present)) & (bins < bins[-1])
        number = np.minimum(np.searchsorted(limits, rate[inside], side="left"), n_quantiles - 1)
        around = present[bins[inside][:, None] + np.arange(-n_half, n_half + 1)]
        for quantile in range(n_quantiles):
            counts[quantile] += around[number == quantile].sum(axis=0)
        spikes += np.bincount(number, minlength=n_quantiles)
    correlogram = np.divide(counts, spikes[:, None], out=np.zeros_like(counts), where=spikes[:, None] > 0)
    correlogram[:, n_half] = 0
    return correlogram, np.zeros(n_quantiles) if limits is None else limits


def _rate_at_spikes(bins: NDArray[np.int64], n_bins: int, bin_ms: float, smooth_ms: float) -> NDArray[np.float64]:
    """Firing rate in the bin of each spike, smoothed.

    Around a spike, it is the inverse of the distance between the middles of its two intervals; before the first middle
    and after the last one it is 0.
    """
    middles = bins[:-1] + (bins[1:] - bins[:-1]) // 2
    rate = np.zeros(n_bins)
    lengths = np.diff(middles)
    values = np.divide(1.0, lengths * (bin_ms / 1000), out=np.zeros(len(lengths)), where=lengths > 0)
    rate[middles[0] : middles[-1]] = np.repeat(values, lengths)
    size = int(np.ceil(smooth_ms / bin_ms)) if smooth_ms > 0 else 0
    if not size:
        return rate[bins]
    half = size // 2
    # Only where there are spikes. Near the ends the boxcar is cut off, and its length is counted from there.
    smooth = np.empty(len(bins))
    edge = (bins < size) | (bins >= n_bins - size)
    sums = np.concatenate([[0.0], np.cumsum(rate)])
    low, high = np.maximum(0, bins[edge] - half), np.minimum(n_bins, bins[edge] + half)
    smooth[edge] = (sums[high] - sums[low]) / np.maximum(high - low, 1)
    first = bins[~edge] + (size - 1) // 2 - size + 1
    if len(first):
        smooth[~edge] = np.lib.stride_tricks.sliding_window_view(rate, size)[first] @ np.full(size, 1 / size)
    return smooth


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
