"""Spikes of a unit that follow each other too soon, and the share of foreign spikes that they imply."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import pdtr

from xephys.kernels.lib.arrays import zeros
from xephys.kernels.lib.inner import kernel

#: Contaminations tried in :func:`sliding_violations`.
CONTAMINATIONS = np.arange(0.5, 35.5, 0.5) / 100
CONFIDENCE = 0.9


@kernel
def short_intervals(samples: NDArray[np.int64], bounds: NDArray[np.int64], below_samples: float) -> NDArray[np.int64]:
    """Number of intervals between successive spikes of each train that are shorter than a limit.

    Parameters
    ----------
    samples : (spike,) int64
        Train after train, each in ascending order.
    bounds : (unit + 1,) int64
        Start of each train.
    below_samples : float

    Examples
    --------
    >>> short_intervals(np.array([0, 10, 50]), np.array([0, 3]), 20.0).tolist()
    [1]
    """
    counts = zeros(bounds.size - 1, np.int64)
    for unit in range(bounds.size - 1):
        for i in range(bounds[unit] + 1, bounds[unit + 1]):
            counts[unit] += samples[i] - samples[i - 1] < below_samples
    return counts


@kernel
def near_pairs(
    samples: NDArray[np.int64], starts: NDArray[np.int64], stops: NDArray[np.int64], within_samples: int
) -> NDArray[np.int64]:
    """Number of pairs of spikes of each train, successive or not, that are no farther apart than a limit.

    Parameters
    ----------
    samples : (spike,) int64
    starts, stops : (train,) int64
        Train ``k`` has the samples from ``starts[k]`` to before ``stops[k]``, in ascending order; trains may overlap.
    within_samples : int

    Examples
    --------
    >>> near_pairs(np.array([0, 10, 20]), np.array([0, 1]), np.array([3, 3]), 20).tolist()
    [3, 1]
    """
    counts = zeros(starts.size, np.int64)
    for train in range(starts.size):
        for i in range(starts[train], stops[train]):
            for j in range(i + 1, stops[train]):
                if samples[j] - samples[i] > within_samples:
                    break
                counts[train] += 1
    return counts


def isi_violations_ratio(
    violations: NDArray[np.int64], num_spikes: NDArray[np.int64], *, duration_s: float, threshold_s: float
) -> NDArray[np.float64]:
    """Rate of violations over the unit's rate (Hill, Mehta & Kleinfeld 2011, J Neurosci 31:8699); NaN without spikes.

    Examples
    --------
    >>> isi_violations_ratio(np.array([3]), np.array([1000]), duration_s=100.0, threshold_s=0.0015).tolist()
    [0.1]
    """
    n = np.where(num_spikes > 0, num_spikes, np.nan)
    return np.asarray(violations / (2 * n * threshold_s) / (n / duration_s))


def rp_contaminations(
    violations: NDArray[np.int64],
    num_spikes: NDArray[np.int64],
    *,
    total_samples: int | NDArray[np.int64],
    refractory_samples: int,
    censored_samples: int,
) -> NDArray[np.float64]:
    """Share of foreign spikes from violations of the refractory period (Llobet, Wyngaard & Barbour 2022).

    ``total_samples`` is the length of the recording, or of the part of it that each train comes from.

    Returns
    -------
    (unit,) float64
        1 if there are more violations than expected for independent trains; NaN for fewer than two spikes.

    Examples
    --------
    >>> rp_contaminations(np.array([0, 9]), np.array([100, 1]), total_samples=30_000, refractory_samples=30,
    ...     censored_samples=0).tolist()
    [0.0, nan]
    """
    n = np.where(num_spikes > 1, num_spikes, np.nan).astype(np.float64)
    span = total_samples - 2 * n * censored_samples
    root = 1.0 - violations * span / (n**2 * (refractory_samples - censored_samples))
    return np.asarray(np.where(np.isnan(root), np.nan, np.where(root < 0, 1.0, 1.0 - np.sqrt(np.maximum(root, 0.0)))))


def sliding_violations(
    counts: NDArray[np.int64], num_spikes: NDArray[np.int64], *, duration_s: float, bin_s: float, exclude_s: float
) -> NDArray[np.float64]:
    """Smallest contamination that can be ruled out with 90 % confidence at some refractory period (IBL 2022).

    Parameters
    ----------
    counts : (unit, bin) int64
        Autocorrelogram at positive lags, from 0 to the longest period that is tried.
    num_spikes : (unit,) int64
    duration_s, bin_s : float
    exclude_s : float
        Bins whose center is no later than this are not tried.

    Returns
    -------
    (unit,) float64
        NaN if not even the largest contamination can be ruled out.

    Examples
    --------
    >>> sliding_violations(np.zeros((1, 40), int), np.array([5000]), duration_s=500.0, bin_s=0.25e-3, exclude_s=0.5e-3)
    array([0.005])
    """
    n_bins = counts.shape[1]
    ends = (np.arange(n_bins) + 1) * bin_s
    tried = ends - bin_s / 2 > exclude_s
    n = num_spikes[:, None, None].astype(np.float64)
    foreign = n * CONTAMINATIONS[None, :, None]
    own = n * (1 - CONTAMINATIONS)[None, :, None]
    expected = 2 * ends / duration_s * foreign * (own + (foreign - 1) / 2)
    certainty = 1 - pdtr(np.cumsum(counts, axis=1)[:, None], np.maximum(expected, 0.0))
    ruled_out = (certainty[:, :, tried] > CONFIDENCE).any(axis=2)
    first = CONTAMINATIONS[ruled_out.argmax(axis=1)]
    return np.where(ruled_out.any(axis=1) & (num_spikes > 0), first, np.nan)
