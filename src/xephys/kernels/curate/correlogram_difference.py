"""Difference between the cross-correlogram of two units and the autocorrelogram of each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve, find_peaks

#: Window, in bins, for a unit without any spikes in its autocorrelogram.
SILENT_WINDOW = 20


def smoothed(
    counts: NDArray[np.int64], lags_ms: NDArray[np.float64], *, censored_ms: float, sigma_ms: float
) -> NDArray[np.float64]:
    """Correlograms without their middle, convolved with a Gaussian.

    Parameters
    ----------
    counts : (unit, unit, bin) int64
    lags_ms : (bin + 1,) float64
        Edges of the bins.
    censored_ms : float
        Bins that begin closer to zero are set to zero.
    sigma_ms : float
        Width of the Gaussian.

    Examples
    --------
    >>> smoothed(np.ones((1, 1, 4), int), np.arange(-2, 3.0), censored_ms=0.5, sigma_ms=0.2)[0, 0].round(2).tolist()
    [1.0, 1.0, 0.0, 1.0]
    """
    middle = (lags_ms[:-1] >= -censored_ms) & (lags_ms[:-1] < censored_ms)
    values = np.where(middle, 0, counts).astype(np.float64)
    if not values.size:
        return values
    kernel = np.exp(-(lags_ms**2) / (2 * sigma_ms**2))
    return np.asarray(fftconvolve(values, (kernel / kernel.sum())[None, None, :], mode="same", axes=2))


def window_of(correlogram: NDArray[np.float64], threshold: float) -> int:
    """Number of bins from the middle of an autocorrelogram to its nearest peak.

    This is a peak of the curvature above the threshold, left of the middle. If there is none, the threshold is halved
    until there is one.

    Examples
    --------
    >>> window_of(np.array([0, 0, 1, 5, 1, 0, 1, 5, 1, 0, 0, 0.0]), 2.5)
    3
    """
    if not np.abs(correlogram).sum():
        return SILENT_WINDOW
    middle = len(correlogram) // 2
    peaks = find_peaks(-np.gradient(np.gradient(correlogram)))[0]
    peaks = peaks[peaks < middle]
    while threshold >= 1e-5 / 2:
        high = peaks[correlogram[peaks] >= threshold]
        if high.size:
            return int(middle - high[-1])
        threshold /= 2
    return 1


def correlogram_differences(
    correlograms: NDArray[np.float64], num_spikes: NDArray[np.int64], pairs: NDArray[np.int64], *, window_share: float
) -> NDArray[np.float64]:
    """Mean absolute difference of cross- and autocorrelograms near zero, each scaled to a mean of 1.

    Parameters
    ----------
    correlograms : (unit, unit, bin) float64
        Smoothed correlograms.
    num_spikes : (unit,) int64
        Number of spikes; window and difference are means over both units, weighted by it.
    pairs : (pair, 2) int64
    window_share : float
        Height of the peak that ends a unit's window, as a fraction of the maximum of its autocorrelogram.

    Returns
    -------
    (pair,) float64

    Examples
    --------
    >>> same = np.tile(np.array([0, 0, 1, 5, 1, 0, 1, 5, 1, 0.0]), (2, 2, 1))
    >>> correlogram_differences(same, np.array([10, 10]), np.array([[0, 1]]), window_share=0.5).tolist()
    [0.0]
    """
    n_units, middle = len(correlograms), correlograms.shape[2] // 2
    own = correlograms[np.arange(n_units), np.arange(n_units)]
    windows = np.zeros(n_units)
    for unit in np.unique(pairs):
        windows[unit] = window_of(own[unit], own[unit].max() * window_share)
    mean = own.mean(axis=1, keepdims=True)
    own = own / np.where(mean == 0, 1, mean)
    differences = np.full(len(pairs), np.nan)
    for k, (one, other) in enumerate(pairs):
        cross = correlograms[one, other]
        cross = cross / (cross.mean() or 1.0)
        weights = num_spikes[[one, other]] / num_spikes[[one, other]].sum()
        window = round(float(weights @ windows[[one, other]]))
        near = slice(max(middle - window, 0), middle + window)
        apart = np.abs(own[[one, other]][:, near] - cross[near]).mean(axis=1)
        differences[k] = weights @ apart
    return differences
