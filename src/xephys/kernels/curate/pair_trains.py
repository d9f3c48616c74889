"""Measures for a merge of two units: coincidences, contamination of the joined train, presence in time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

from xephys.kernels.lib.arrays import empty, zeros
from xephys.kernels.lib.inner import kernel


@kernel
def count_near(
    samples: NDArray[np.int64], bounds: NDArray[np.int64], pairs: NDArray[np.int64], within_samples: int
) -> NDArray[np.float64]:
    """Coincident spikes of each pair of units; those exactly ``within_samples`` apart count as half.

    Parameters
    ----------
    samples : (spike,) int64
        Train after train, each in ascending order.
    bounds : (unit + 1,) int64
        Start of each train.
    pairs : (pair, 2) int64
    within_samples : int

    Returns
    -------
    (pair,) float64

    Examples
    --------
    >>> count_near(np.array([0, 50, 3, 55]), np.array([0, 2, 4]), np.array([[0, 1]]), 5).tolist()
    [1.5]
    """
    counts = zeros(len(pairs))
    if within_samples <= 0:
        return counts
    for k in range(len(pairs)):
        start, end = bounds[pairs[k, 1]], bounds[pairs[k, 1] + 1]
        for i in range(bounds[pairs[k, 0]], bounds[pairs[k, 0] + 1]):
            while start < end and samples[start] < samples[i] - within_samples:
                start += 1
            for j in range(start, end):
                lag = samples[j] - samples[i]
                if lag > within_samples:
                    break
                counts[k] += 0.5 if abs(lag) == within_samples else 1.0
    return counts


def cross_contaminations(
    near: NDArray[np.float64],
    num_spikes: NDArray[np.int64],
    pairs: NDArray[np.int64],
    contamination: NDArray[np.float64],
    *,
    total_samples: int,
    refractory_samples: int,
    contamination_max: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of the second unit's spikes that are foreign to the first one's neuron, and the certainty that it is not
    more.

    Parameters
    ----------
    near : (pair,) float64
        Coincidences within the refractory period, without those that no sorter could have separated.
    num_spikes : (unit,) int64
    pairs : (pair, 2) int64
    contamination : (unit,) float64
        Contamination of each unit alone.
    total_samples, refractory_samples : int
    contamination_max : float
        The share to be tested.

    Returns
    -------
    share, p_value : (pair,) float64
        Probability of as many coincidences if the share is ``contamination_max`` (binomial).

    Examples
    --------
    >>> share, p = cross_contaminations(
    ...     np.array([0.0]), np.array([1000, 1000]), np.array([[0, 1]]), np.zeros(2),
    ...     total_samples=30_000_000, refractory_samples=30, contamination_max=0.1,
    ... )
    >>> share.tolist(), p.tolist()
    ([0.0], [1.0])
    """
    one, other = num_spikes[pairs[:, 0]].astype(np.float64), num_spikes[pairs[:, 1]].astype(np.float64)
    own = contamination[pairs[:, 0]]
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = 2 * one * other * refractory_samples / total_samples
        share = np.where(own == 1.0, -np.inf, 1 - (near / expected - 1) / (own - 1))
    trials = one * other * ((1 - own) * contamination_max + own)
    hits = np.trunc(near - 1)
    # The tail of a binomial is an incomplete beta function, also for a fractional number of trials.
    inside = (hits >= 0) & (trials > hits)
    tail = betainc(
        np.where(inside, hits + 1, 1.0), np.where(inside, trials - hits, 1.0), 2 * refractory_samples / total_samples
    )
    return np.asarray(share), np.where(hits < 0, 1.0, np.where(inside, tail, 0.0))


@kernel
def merged_violations(
    samples: NDArray[np.int64],
    bounds: NDArray[np.int64],
    pairs: NDArray[np.int64],
    censored_samples: int,
    refractory_samples: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number of spikes of two units combined into one train, and of pairs of them within the refractory period.

    A spike that follows one of the other unit by at most ``censored_samples`` is the same spike found twice.

    Parameters
    ----------
    samples, bounds, pairs
        As for :func:`count_near`.
    censored_samples, refractory_samples : int

    Returns
    -------
    num_spikes, violations : (pair,) int64

    Examples
    --------
    >>> merged_violations(np.array([0, 90, 2, 110]), np.array([0, 2, 4]), np.array([[0, 1]]), 5, 30)
    (array([3]), array([1]))
    """
    num_spikes, violations = zeros(len(pairs), np.int64), zeros(len(pairs), np.int64)
    longest = 0
    for unit in range(len(bounds) - 1):
        longest = max(longest, bounds[unit + 1] - bounds[unit])
    train = empty(2 * longest, np.int64)
    for k in range(len(pairs)):
        i, i_end = bounds[pairs[k, 0]], bounds[pairs[k, 0] + 1]
        j, j_end = bounds[pairs[k, 1]], bounds[pairs[k, 1] + 1]
        n, last, last_side = 0, 0, -1
        while i < i_end or j < j_end:
            side = 0 if j == j_end or (i < i_end and samples[i] <= samples[j]) else 1
            sample = samples[i] if side == 0 else samples[j]
            i, j = i + (side == 0), j + (side == 1)
            if last_side == -1 or side == last_side or sample - last > censored_samples:
                train[n] = sample
                n += 1
            last, last_side = sample, side
        start = 0
        for m in range(n):
            while train[m] - train[start] > refractory_samples:
                start += 1
            violations[k] += m - start
        num_spikes[k] = n
    return num_spikes, violations


def presence_distances(counts: NDArray[np.int64], pairs: NDArray[np.int64], *, bin_s: float) -> NDArray[np.float64]:
    """Average time in seconds by which the spikes of one unit must be moved to be distributed like those of the other.

    Parameters
    ----------
    counts : (unit, bin) int64
        Number of spikes of each unit by time.
    pairs : (pair, 2) int64
    bin_s : float
        Length of a bin.

    Returns
    -------
    (pair,) float64
        Wasserstein distance of the two distributions; NaN if a unit is silent.

    Examples
    --------
    >>> presence_distances(np.array([[4, 0, 0], [0, 0, 2]]), np.array([[0, 1]]), bin_s=2.0).tolist()
    [4.0]
    """
    total = counts.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.cumsum(counts, axis=1) / total
    apart = np.abs(shares[pairs[:, 0]] - shares[pairs[:, 1]])[:, :-1].sum(axis=1) * bin_s
    silent = (total[pairs] == 0).any(axis=(1, 2))
    return np.where(silent, np.nan, apart)
