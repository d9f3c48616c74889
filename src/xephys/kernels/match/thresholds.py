"""A threshold for each template, from the scores of its own spikes.

The scores of one template's matches are a mixture: spikes around the template's own size, spread by noise and by their
own variation, and false alarms, which become fewer as scores increase. Where noise is Gaussian and nothing else fires,
false alarms fall off steeply; where many small units fire, they extend far. A normal and an exponential distribution
are fitted to the matches above a floor (by expectation maximization; spikes of the normal distribution that the floor
hides are included). The threshold is where missed spikes and false alarms together are fewest. Where the fit has no
false alarm to avoid, this is below the floor: smaller matches than the distribution of spikes lets expect are false.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.inner import helper, kernel
from xephys.kernels.lib.records import count_labels, order_by_label

__all__ = ["SpikeScores", "balanced_score", "balanced_thresholds", "score_below_floor"]

#: Minimum number of matches above the floor, and above the start, from which a template's threshold is estimated.
N_MATCHES_MIN, N_SPIKES_MIN = 20, 10
#: Smaller matches, as multiples of the template, are spikes of other units, whatever the noise.
SIZE_MIN = 0.55
#: Limits of the spread of spikes, in units of the noise and as a fraction of the template's size.
SPREAD_MIN, VARIATION_MAX = 0.9, 0.2
#: Limits of the decay rate of false alarms, per unit of the noise.
FALL_MIN, FALL_MAX = 1.0, 8.0
N_ITERATIONS, N_STEPS = 60, 200


class SpikeScores(NamedTuple):
    """The scores of one template's spikes: their number, and the normal distribution of all of them."""

    n_spikes: float
    center: float
    spread: float


def _share_below(z: float) -> float:
    """Share of a standard normal distribution below ``z``."""
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


_below = helper(_share_below)


def balanced_score(
    scores: NDArray[np.float64], floor: float, start: float, spread_max: float
) -> tuple[float, SpikeScores]:
    """The score at which misses and false alarms together are fewest, and how the spikes are distributed.

    Parameters
    ----------
    scores : float64 array
        Scores of the matches of one template, in units of the noise along it, all at or above ``floor``.
    floor : float
        Nothing was matched below this.
    start : float
        Spikes are initially sought above this.
    spread_max : float
        Maximum standard deviation of the spikes' scores; the minimum is `SPREAD_MIN`.

    Returns
    -------
    float
        NaN if there are too few matches to tell; the floor if no false alarm is worth a spike.
    SpikeScores
        Spikes below the floor are counted too.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> spikes, false = rng.normal(9, 1, 400), 4 + rng.exponential(0.5, 400)
    >>> best, spikes = balanced_score(np.concatenate([spikes[spikes > 4], false]), 4.0, 5.0, 2.0)
    >>> 5.5 < best < 7, round(spikes.center), round(spikes.spread)
    (True, 9, 1)
    """
    above = scores[scores >= start]
    if scores.size < N_MATCHES_MIN or above.size < N_SPIKES_MIN:
        return float("nan"), SpikeScores(0.0, float("nan"), 1.0)
    best, *spikes = _balanced_score(scores, floor, max(float(np.median(above)), start), spread_max)
    return best, SpikeScores(*spikes)


@kernel
def _balanced_score(
    scores: NDArray[np.float64], floor: float, center: float, spread_max: float
) -> tuple[float, float, float, float]:
    """The same, from an initial center of the spikes: a median is quick in NumPy, and takes Numba long to compile."""
    spread, fall, share = 1.0, 3.0, 0.5
    n_spikes = 0.0
    for _ in range(N_ITERATIONS):
        edge = (floor - center) / spread
        hidden = min(max(_below(edge), 1e-12), 1.0 - 1e-6)
        density = math.exp(-0.5 * edge * edge) / math.sqrt(2.0 * math.pi)
        n_spikes, total, squares, n_false, excess = 0.0, 0.0, 0.0, 0.0, 0.0
        for x in scores:
            z = (x - center) / spread
            spike = share * math.exp(-0.5 * z * z) / (spread * math.sqrt(2.0 * math.pi)) / (1.0 - hidden)
            false = (1.0 - share) * fall * math.exp(-fall * (x - floor))
            weight = spike / (spike + false + 1e-300)
            n_spikes += weight
            total += weight * x
            squares += weight * x * x
            n_false += 1.0 - weight
            excess += (1.0 - weight) * (x - floor)
        if n_spikes < 0.5 * N_SPIKES_MIN:
            return np.nan, 0.0, center, spread
        share = n_spikes / scores.size
        # The spikes below the floor, with the mean and variance of that part of a normal distribution.
        n_hidden = min(n_spikes * hidden / (1.0 - hidden), 3.0 * n_spikes)
        ratio = density / hidden
        mean_hidden = center - spread * ratio
        variance_hidden = spread * spread * max(1.0 - edge * ratio - ratio * ratio, 0.0)
        mean = (total + n_hidden * mean_hidden) / (n_spikes + n_hidden)
        variance = squares - 2.0 * mean * total + n_spikes * mean * mean
        variance += n_hidden * (variance_hidden + (mean_hidden - mean) ** 2)
        center = mean
        spread = min(max(math.sqrt(max(variance / (n_spikes + n_hidden), 0.0)), SPREAD_MIN), spread_max)
        fall = min(max(n_false / max(excess, 1e-9), FALL_MIN), FALL_MAX)
    n_all = n_spikes / (1.0 - min(_below((floor - center) / spread), 1.0 - 1e-6))
    n_false = scores.size - n_spikes
    best, fewest = floor, np.inf
    for step in range(N_STEPS):
        at = floor + (max(center, floor) - floor) * step / (N_STEPS - 1)
        errors = n_all * _below((at - center) / spread) + n_false * math.exp(-fall * (at - floor))
        if errors < fewest:
            best, fewest = at, errors
    return best, n_all, center, spread


def score_below_floor(hidden: NDArray[np.float64], floor: float, lowest: float, spikes: SpikeScores) -> float:
    """The score between two limits, below the fit, at which misses and false alarms together are fewest.

    Parameters
    ----------
    hidden : float64 array
        Scores of the matches between the limits.
    floor, lowest : float
        The limits: the fit ends at the floor, and nothing was matched below the lowest score.
    spikes : SpikeScores
        From `balanced_score`. Where there are more matches than it lets expect, the others are false alarms.

    Returns
    -------
    float

    Examples
    --------
    >>> hidden = np.array([5.4, 5.0])
    >>> score_below_floor(hidden, 6.0, 4.0, SpikeScores(400.0, 12.0, 1.2))
    5.7
    >>> score_below_floor(hidden, 6.0, 4.0, SpikeScores(400.0, 12.0, 3.0))
    4.0
    """
    ordered = np.sort(hidden)
    edges = np.append(ordered, floor)
    at = np.append(lowest, (edges[:-1] + edges[1:]) / 2)  # half-way between two matches, where rounding cannot matter
    missed = spikes.n_spikes * np.array([_share_below((score - spikes.center) / spikes.spread) for score in at])
    missed_at_floor = spikes.n_spikes * _share_below((floor - spikes.center) / spikes.spread)
    n_above = ordered.size - np.searchsorted(ordered, at)
    false = np.maximum(n_above - (missed_at_floor - missed), 0.0)
    return float(at[np.argmin(missed + false)])


def balanced_thresholds(
    units: NDArray[np.integer[Any]],
    amplitudes: NDArray[np.float64],
    *,
    energies: NDArray[np.float64],
    gains: NDArray[np.float64],
    noise_gain: float,
    match_threshold: float,
    lowest: float = 0.8,
    start: float = 0.9,
    highest: float = 1.3,
    amplitude_std: float = 0.1,
    spike_energies: NDArray[np.float64] | None = None,
    each: Callable[..., Iterable[float]] = map,
) -> NDArray[np.float64]:
    """A threshold for each template.

    Parameters
    ----------
    units, amplitudes : arrays of shape (spike,)
        Matches of `match_templates` at the threshold ``lowest * match_threshold``.
    energies : float64 array of shape (unit,)
        Energies of the templates, as in their `MatchModel`.
    gains : float64 array of shape (unit,)
        Variance of the noise along each template, from `noise_gains`; ``noise_gain`` is used where it is NaN.
    noise_gain, amplitude_std : float
        Settings of the match.
    match_threshold : float
        The usual threshold, which templates with too few matches keep.
    lowest, start, highest : float
        Multiples of it: the range of the thresholds, and the level above which spikes are initially sought.
    spike_energies : float64 array of shape (spike,), optional
        Energy of the template where each spike was matched, if templates move. Scores are those of that place, and the
        median over a template's spikes stands for its energy.
    each : callable
        Applies a function to each item, as `map` does; it may use threads.

    Returns
    -------
    float64 array of shape (unit,)

    Examples
    --------
    >>> balanced_thresholds(np.zeros(3, np.int64), np.ones(3), energies=np.array([100.0]), gains=np.array([1.0]),
    ...                     noise_gain=1.0, match_threshold=5.0).tolist()
    [5.0]
    """
    precision = noise_gain / amplitude_std**2
    order = order_by_label(units)
    ends = np.cumsum(count_labels(units, n_labels=len(energies)))
    sizes = np.linspace(0.0, 1.5, 601)

    def of_unit(unit: int) -> float:
        energy = float(energies[unit])
        if not energy > 0:
            return match_threshold
        rows = order[ends[unit - 1] if unit else 0 : ends[unit]]
        own = amplitudes[rows]
        if spike_energies is not None and len(rows):
            own_energies = spike_energies[rows]
            energy = float(np.median(own_energies))
            # The amplitude that a spike of the same score would have where the template has its median energy.
            scale = np.sqrt(energy / np.maximum(own_energies, 1e-9))
            own = ((own * (own_energies + precision) - precision) * scale + precision) / (energy + precision)
        noise = math.sqrt(energy * (gains[unit] if np.isfinite(gains[unit]) else noise_gain))
        best = (sizes * energy + precision) / (energy + precision)
        drop = np.sqrt(np.maximum(best * (sizes * energy + precision) - precision, 0.0) / noise_gain)
        drop = np.maximum.accumulate(drop)  # of a spike of each size; zero for sizes far below the template's
        size_min, size_start = np.interp([lowest * match_threshold, start * match_threshold], drop, sizes)
        scores = (own * (energy + precision) - precision) / noise
        floor = max(float(size_min), SIZE_MIN) * energy / noise
        seen = scores >= floor
        spread_max = math.sqrt(1.0 + (VARIATION_MAX * energy / noise) ** 2)
        at, spikes = balanced_score(scores[seen], floor, float(size_start) * energy / noise, spread_max)
        if np.isnan(at):
            return match_threshold
        if at <= floor:
            at = score_below_floor(scores[~seen], floor, float(size_min) * energy / noise, spikes)
        level = np.interp(at * noise / energy, sizes, drop)
        return float(np.clip(level, lowest * match_threshold, highest * match_threshold))

    return np.array(list(each(of_unit, range(len(energies)))), np.float64)
