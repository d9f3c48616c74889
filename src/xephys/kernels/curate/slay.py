"""Scores of SLAy: significance of a cross-correlogram, and certainty that two units share no refractory period.

Follows Koukuntla et al. 2025, "SLAy-ing oversplitting errors in high-density electrophysiology spike sorting"
(bioRxiv), as SpikeInterface 0.105 applies it to templates.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, find_peaks_cwt, sosfiltfilt
from scipy.special import pdtr

#: Refractory periods tried, in bins.
PERIODS = np.array([1, 2, 4, 6, 8, 12, 16, 20])
#: Accepted contamination.
ACCEPTED = 0.15
#: Corner frequencies of the low-passes for the curvature and the baseline.
CURVATURE_HZ, BASELINE_HZ = 100.0, 250.0
PEAK_S = 0.002
#: Score of a correlogram without the edges of a dip: the two are not one unit.
NO_EDGE = -4.0


def correlogram_significances(correlograms: NDArray[np.int64], *, bin_ms: float) -> NDArray[np.float64]:
    """Distance of each cross-correlogram from a flat one, in the window up to the edge of its central dip.

    Parameters
    ----------
    correlograms : (pair, bin) int64
    bin_ms : float

    Returns
    -------
    (pair,) float64
        0 without spikes, -4 without a dip.

    Examples
    --------
    >>> correlogram_significances(np.zeros((1, 50), int), bin_ms=1.0).tolist()
    [0.0]
    """
    rate = 1000 / bin_ms
    width = PEAK_S * rate
    sos = butter(4, CURVATURE_HZ / (rate / 2), output="sos")
    scores = np.zeros(len(correlograms))
    for k, counts in enumerate(correlograms):
        if not counts.sum():
            continue
        curvature = sosfiltfilt(sos, np.diff(counts, 2))
        edges = find_peaks_cwt(-curvature, width, noise_perc=90) + 1
        n, middle = len(counts), len(counts) / 2
        edges = np.abs(edges - middle)
        edges = edges[edges > width / 2]
        if not edges.size:
            scores[k] = NO_EDGE
            continue
        reach = 1.5 * edges.min()
        window = counts[int(max(middle - reach, 0)) : int(min(middle + reach, n - 1) + 1)]
        if window.sum():
            # Both distributions have the same support, so their distance is that of their cumulative sums.
            apart = np.cumsum(window / window.sum() - 1 / len(window))[:-1]
            scores[k] = 4 * np.abs(apart).sum() / len(window)
    return scores


def shared_refractoriness(correlograms: NDArray[np.int64], *, bin_ms: float) -> NDArray[np.float64]:
    """Probability that the dip of each cross-correlogram is not a refractory period, minimized over the period.

    Parameters
    ----------
    correlograms : (pair, bin) int64
        Correlograms with at least 20 bins on each side.
    bin_ms : float

    Returns
    -------
    (pair,) float64

    Examples
    --------
    >>> dip = np.full((1, 60), 50)
    >>> dip[:, 25:35] = 0
    >>> bool(shared_refractoriness(dip, bin_ms=1.0)[0] < 1e-6)
    True
    """
    half = correlograms.shape[1] // 2
    sides = (correlograms[:, half:] + correlograms[:, :half][:, ::-1]) / 2
    within = np.cumsum(sides, axis=1)[:, PERIODS - 1]
    sos = butter(4, BASELINE_HZ / (1000 / bin_ms / 2), btype="low", output="sos")
    baseline = sosfiltfilt(sos, sides, axis=1).max(axis=1, initial=-np.inf) if len(sides) else np.zeros(0)
    expected = PERIODS * baseline[:, None] * ACCEPTED
    return np.asarray(pdtr(within, expected).min(axis=1, initial=1.0))
