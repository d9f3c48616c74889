"""Metrics from the amplitudes of a unit's spikes: how many spikes are missing, and how steady the unit is."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from xephys.kernels.lib.arrays import empty, full, zeros
from xephys.kernels.lib.inner import kernel

N_BINS = 100
#: Width in bins of the kernel that smooths the histogram, and the number of spikes needed per bin.
SMOOTH_BINS, SPIKES_A_BIN = 3.0, 5
#: Shares of the spikes that form the low end and the high end in :func:`noise_cutoff`.
LOW, HIGH = 0.1, 0.25


def over_units(
    values: NDArray[np.floating], bounds: NDArray[np.int64], func: Callable[[NDArray[np.floating]], float]
) -> NDArray[np.float64]:
    """Apply a function to the values of each unit; NaN if there are none.

    Parameters
    ----------
    values : (spike,) float
        Values of one unit after another.
    bounds : (unit + 1,) int64
        Start of each unit.
    func : callable

    Examples
    --------
    >>> over_units(np.array([1.0, 3.0]), np.array([0, 2, 2]), np.median).tolist()
    [2.0, nan]
    """
    found = [func(values[a:b]) if b > a else np.nan for a, b in pairwise(bounds)]
    return np.array(found, np.float64)


def upright(amplitudes: NDArray[np.floating]) -> NDArray[np.floating]:
    """Amplitudes with the sign that makes their median positive."""
    return -amplitudes if np.median(amplitudes) < 0 else amplitudes


def amplitude_cutoffs(
    amplitudes: NDArray[np.floating], starts: NDArray[np.int64], stops: NDArray[np.int64], *, n_bins: int = N_BINS
) -> NDArray[np.float64]:
    """Share of spikes below the detection threshold in ranges of spikes, assuming a symmetric distribution of
    amplitudes (Hill et al. 2011).

    The smoothed histogram is cut off at its low end, at some height. The part beyond the last bin of that height at the
    high end is taken to be missing at the low end.

    Parameters
    ----------
    amplitudes : (spike,) float32 or float64
    starts, stops : (range,) int64
        Range ``k`` holds the spikes from ``starts[k]`` to before ``stops[k]``; ranges may overlap.
    n_bins : int

    Returns
    -------
    (range,) float64
        At most 0.5; NaN for fewer than five spikes per bin.

    Examples
    --------
    >>> amplitudes = np.sort(np.random.default_rng(0).normal(100, 10, 20_000))
    >>> complete, cut, _ = amplitude_cutoffs(amplitudes, np.array([0, 3000, 0]), np.array([20_000, 20_000, 9]))
    >>> bool(complete < 0.01), bool(0.1 < cut < 0.25)
    (True, True)
    """
    out = np.full(starts.shape, np.nan)
    used = (stops - starts) / n_bins >= SPIKES_A_BIN
    if not used.any():
        return out
    a, b = starts[used], stops[used]
    signs, low, high = _ranges(amplitudes, a, b)
    flat = low == high
    low, high = np.where(flat, low - low.dtype.type(0.5), low), np.where(flat, high + high.dtype.type(0.5), high)
    edges = np.ascontiguousarray(np.linspace(low, high, n_bins + 1, dtype=low.dtype, axis=1))
    # The histogram is smoothed in integers, as in SpikeInterface.
    heights = gaussian_filter1d(_histograms(amplitudes, a, b, signs, edges), SMOOTH_BINS, axis=1, mode="nearest")
    last = n_bins - 1 - (heights >= heights[:, :1])[:, ::-1].argmax(axis=1)
    missing = np.where(np.arange(n_bins) > last[:, None], heights, 0).sum(axis=1)
    out[used] = np.minimum(missing / (b - a + missing), 0.5)
    return out


@kernel
def _ranges(
    amplitudes: NDArray[np.floating], starts: NDArray[np.int64], stops: NDArray[np.int64]
) -> tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]]:
    """The sign that makes the median of each range positive, and the smallest and largest value with that sign."""
    signs = empty(starts.size, amplitudes.dtype)
    low, high = np.empty_like(signs), np.empty_like(signs)
    for k in range(starts.size):
        values = amplitudes[starts[k] : stops[k]]
        signs[k] = -1 if np.median(values) < 0 else 1
        low[k], high[k] = np.inf, -np.inf
        for value in values:
            low[k], high[k] = min(low[k], signs[k] * value), max(high[k], signs[k] * value)
    return signs, low, high


@kernel
def _histograms(
    amplitudes: NDArray[np.floating],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    signs: NDArray[np.floating],
    edges: NDArray[np.floating],
) -> NDArray[np.int64]:
    """Number of values in each bin of each range; only the last bin holds its upper edge, as in NumPy."""
    n_bins = edges.shape[1] - 1
    counts = zeros((starts.size, n_bins), np.int64)
    for k in range(starts.size):
        own = edges[k]
        for value in amplitudes[starts[k] : stops[k]]:
            value = signs[k] * value
            if not own[0] <= value <= own[n_bins]:
                continue
            b = min(int((value - own[0]) / (own[n_bins] - own[0]) * n_bins), n_bins - 1)
            while b > 0 and value < own[b]:
                b -= 1
            while b < n_bins - 1 and value >= own[b + 1]:
                b += 1
            counts[k, b] += 1
    return counts


def noise_cutoff(amplitudes: NDArray[np.floating]) -> tuple[float, float]:
    """Distance of the lowest bins of amplitudes from the highest in standard deviations, and over the tallest bin.

    Returns
    -------
    cutoff : float
        NaN if fewer than two bins are at the high end, or all of these are equal.
    ratio : float
        NaN if no bin is at the low end.

    Examples
    --------
    >>> amplitudes = np.random.default_rng(0).normal(100, 10, 5000)
    >>> cutoff, ratio = noise_cutoff(amplitudes)
    >>> abs(cutoff) < 2, ratio < 0.2
    (True, True)
    """
    values = upright(amplitudes)
    heights, edges = np.histogram(values, N_BINS)
    low = edges[1:] <= np.quantile(values, LOW)
    high = edges[:-1] >= np.quantile(values, 1 - HIGH)
    if not low.any():
        return float("nan"), float("nan")
    ratio = float(heights[low].mean() / heights.max())
    if high.sum() < 2 or heights[high].std() == 0:
        return float("nan"), ratio
    return float((heights[low].mean() - heights[high].mean()) / heights[high].std()), ratio


def noise_cutoffs(amplitudes: NDArray[np.floating], bounds: NDArray[np.int64]) -> NDArray[np.float64]:
    """:func:`noise_cutoff` of every unit ``(unit, 2)``; NaN for one without spikes.

    Parameters
    ----------
    amplitudes : (spike,) float
        Amplitudes of one unit after another.
    bounds : (unit + 1,) int64
        Start of each unit.
    """
    out = np.full((len(bounds) - 1, 2), np.nan)
    for unit, (a, b) in enumerate(pairwise(bounds)):
        if b > a:
            out[unit] = noise_cutoff(amplitudes[a:b])
    return out


def amplitude_spreads(
    samples: list[NDArray[np.int64]],
    amplitudes: list[NDArray[np.floating]],
    n_samples: NDArray[np.int64],
    *,
    spikes_a_bin: int = 50,
    n_bins_min: int = 10,
) -> tuple[float, float]:
    """Coefficient of variation of a unit's amplitudes in bins with 50 spikes on average: its median and its range.

    Parameters
    ----------
    samples, amplitudes : list of (n,)
        Samples and amplitudes of one unit in each segment; samples count from the segment's start.
    n_samples : (segment,) int64
        Lengths of the segments.

    Returns
    -------
    median, range : float
        The range is from the 5th to the 95th percentile. Bins without spikes are left out. NaN with fewer than ten
        bins.

    Examples
    --------
    >>> train, sizes = np.arange(0, 30_000, 30), np.tile([90.0, 110.0], 500)
    >>> median, spread = amplitude_spreads([train], [sizes], np.array([30_000]))
    >>> round(median, 3), round(spread, 3)
    (0.1, 0.0)
    """
    total = sum(len(train) for train in samples)
    if not total:
        return float("nan"), float("nan")
    length = int(spikes_a_bin / (total / n_samples.sum()))
    spreads: list[float] = []
    for train, values, n in zip(samples, amplitudes, n_samples, strict=True):
        if not len(train):
            continue
        mean = abs(values.mean(dtype=np.float64))
        parts = np.split(values.astype(np.float64), np.searchsorted(train, np.arange(0, n + 1, length)))[1:-1]
        spreads += [part.std() / mean if len(part) else np.nan for part in parts]
    found = np.array(spreads)
    if len(found) < n_bins_min or np.isnan(found).all():
        return float("nan"), float("nan")
    low, high = np.nanpercentile(found, (5, 95))
    return float(np.nanmedian(found)), float(high - low)


def spreads_of_units(
    samples: NDArray[np.int64], amplitudes: NDArray[np.floating], parts: NDArray[np.int64], n_samples: NDArray[np.int64]
) -> NDArray[np.float64]:
    """:func:`amplitude_spreads` of every unit ``(unit, 2)``.

    Parameters
    ----------
    samples, amplitudes : (spike,)
        Unit by unit, segment by segment; samples count from the segment's start.
    parts : (unit, segment + 1) int64
        Start of the spikes of each unit in each segment.
    n_samples : (segment,) int64
    """
    out = np.full((len(parts), 2), np.nan)
    for unit, edges in enumerate(parts):
        out[unit] = amplitude_spreads(
            [samples[a:b] for a, b in pairwise(edges)], [amplitudes[a:b] for a, b in pairwise(edges)], n_samples
        )
    return out


@kernel
def first_of_near(samples: NDArray[np.int64], within_samples: int) -> NDArray[np.bool_]:
    """Mask of the spikes that are far enough from the last one kept.

    Examples
    --------
    >>> first_of_near(np.array([0, 5, 9, 12]), 10).tolist()
    [True, False, False, True]
    """
    kept = full(samples.size, True, np.bool_)
    last = 0
    for i in range(1, samples.size):
        if samples[i] - samples[last] <= within_samples:
            kept[i] = False
        else:
            last = i
    return kept


def sd_ratio(
    amplitudes: NDArray[np.floating], *, noise_std: float, template: NDArray[np.floating], spikes_a_sample: float
) -> float:
    """Spread of a unit's amplitudes relative to the noise without the unit's own contribution (Pouzat et al. 2002).

    Parameters
    ----------
    amplitudes : (spike,) float
        In order of time, without near repeats; their differences are insensitive to slow changes.
    noise_std : float
        Standard deviation of the peak channel.
    template : (sample,) float
        Template of the unit on its peak channel, whose contribution to the variance is removed.
    spikes_a_sample : float
        Number of its spikes per sample of the recording.

    Examples
    --------
    >>> amplitudes = np.random.default_rng(0).normal(100, 10, 5000)
    >>> 0.95 < sd_ratio(amplitudes, noise_std=10.0, template=np.zeros(9), spikes_a_sample=0.0) < 1.05
    True
    """
    if len(amplitudes) < 2:
        return float("nan") if not len(amplitudes) else 0.0
    spread = np.std(np.diff(amplitudes.astype(np.float64))) / np.sqrt(2)
    values = template.astype(np.float64)
    share = len(values) * spikes_a_sample
    own = share * np.mean(values**2) - share**2 * np.mean(values) ** 2
    left = noise_std**2 - own
    return float(spread / np.sqrt(left)) if left > 0 else float("nan")


def sd_ratios(
    samples: NDArray[np.int64],
    amplitudes: NDArray[np.floating],
    parts: NDArray[np.int64],
    *,
    censored_samples: int,
    noise_std: NDArray[np.float64],
    templates: NDArray[np.floating],
    total_samples: int,
) -> NDArray[np.float64]:
    """:func:`sd_ratio` of every unit.

    Parameters
    ----------
    samples, amplitudes, parts
        As for :func:`spreads_of_units`.
    censored_samples : int
        Spikes that follow another within this time are left out.
    noise_std : (unit,) float64
        Noise on each unit's peak channel.
    templates : (unit, sample)
        Templates on that channel.
    total_samples : int
        Length of the recording.
    """
    out = np.full(len(parts), np.nan)
    for unit, edges in enumerate(parts):
        kept = [amplitudes[a:b][first_of_near(samples[a:b], censored_samples)] for a, b in pairwise(edges)]
        out[unit] = sd_ratio(
            np.concatenate(kept),
            noise_std=float(noise_std[unit]),
            template=templates[unit],
            spikes_a_sample=float(edges[-1] - edges[0]) / total_samples,
        )
    return out
