"""Displacement between pairs of time bins, by windowed correlation over depth.

Follows DREDge (Windolf et al. 2025, Nature Methods, "DREDge: robust motion correction for high-density extracellular
recordings across species"): for each window and each pair of bins, the lag along depth at which the two correlate best.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import zeros
from xephys.kernels.lib.inner import helper, kernel


@kernel
def pair_lags(
    raster: NDArray[np.float32],
    window: NDArray[np.float32],
    time_lags: NDArray[np.int64],
    lag_max: int,
    first: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Best lag along depth, and the correlation there, between each bin and earlier ones.

    Parameters
    ----------
    raster
        ``(time, depth)``.
    window
        Weight of each depth, ``(depth,)``, with sum 1.
    time_lags
        Number of bins by which the other bin of a pair is earlier, ascending.
    lag_max
        Maximum shift, in depth bins.
    first
        Bins before this one only serve as partners.

    Returns
    -------
    lag, correlation
        ``(time, time lag)``, float32. The lag is the distance by which the later bin is above the earlier one, in bins,
        with a fraction from the parabola through the highest correlation and its neighbors. Correlation is 0 if there
        is no such pair, or one of the two has nothing in the window.
    """
    n_times, n_depths = raster.shape
    low, high = 0, n_depths
    while low < n_depths and window[low] == 0.0:
        low += 1
    while high > low and window[high - 1] == 0.0:
        high -= 1
    n_lags = 2 * lag_max + 1
    lag = zeros((n_times, len(time_lags)), np.float32)
    correlation = zeros((n_times, len(time_lags)), np.float32)
    padded = zeros((n_times, high - low + 2 * lag_max), np.float32)
    mean = zeros((n_times, n_lags), np.float32)
    spread = zeros((n_times, n_lags), np.float32)
    for t in range(n_times):
        for j in range(padded.shape[1]):
            z = low - lag_max + j
            if 0 <= z < n_depths:
                padded[t, j] = raster[t, z]
        _moments(padded[t], window[low:high], mean[t], spread[t])
    product = zeros(n_lags, np.float32)
    for t in range(first, n_times):
        for k in range(len(time_lags)):
            early = t - time_lags[k]
            if early < 0 or spread[early, lag_max] <= 0.0:
                continue
            product[:] = 0.0
            for z in range(low, high):
                value = window[z] * raster[early, z]
                if value != 0.0:
                    for m in range(n_lags):
                        product[m] += value * padded[t, z - low + m]
            lag[t, k], correlation[t, k] = _best(
                product, mean[early, lag_max], spread[early, lag_max], mean[t], spread[t]
            )
    return lag, correlation


@helper
def _moments(
    padded: NDArray[np.float32], window: NDArray[np.float32], mean: NDArray[np.float32], spread: NDArray[np.float32]
) -> None:
    """Mean and standard deviation of a row under the window, at each shift."""
    n_lags = len(mean)
    square = zeros(n_lags, np.float32)
    for z in range(len(window)):
        for m in range(n_lags):
            value = padded[z + m]
            mean[m] += window[z] * value
            square[m] += window[z] * value * value
    for m in range(n_lags):
        variance = square[m] - mean[m] * mean[m]
        # The rounding errors of a constant row are not a variance.
        spread[m] = np.sqrt(variance) if variance > 1e-6 * square[m] else 0.0


@helper
def _best(
    product: NDArray[np.float32],
    early_mean: float,
    early_spread: float,
    mean: NDArray[np.float32],
    spread: NDArray[np.float32],
) -> tuple[float, float]:
    """Lag of the highest correlation, refined by a parabola, and that correlation."""
    n_lags = len(product)
    best, highest = -1, 0.0
    for m in range(n_lags):
        if spread[m] > 0.0:
            product[m] = (product[m] - early_mean * mean[m]) / (early_spread * spread[m])
            if product[m] > highest:
                best, highest = m, product[m]
        else:
            product[m] = 0.0
    if best < 0:
        return 0.0, 0.0
    shift = 0.0
    if 0 < best < n_lags - 1:
        bend = product[best - 1] - 2.0 * product[best] + product[best + 1]
        if bend < 0.0:
            shift = 0.5 * (product[best - 1] - product[best + 1]) / bend
    return best - n_lags // 2 + shift, min(highest, 1.0)


def pair_weights(
    correlation: NDArray[np.float32],
    time_lags: NDArray[np.int64],
    *,
    mincorr: float,
    activity: NDArray[np.floating] | None = None,
    limits: tuple[float, float] | None = None,
) -> NDArray[np.float64]:
    """Weight of each pair: its squared correlation, reduced if one of the two bins is nearly empty.

    Parameters
    ----------
    correlation
        ``(time, time lag, window)``.
    time_lags
        As in :func:`pair_lags`.
    mincorr
        Minimum correlation.
    activity
        Windowed sum of the raster, ``(time, window)``; not used if None.
    limits
        A bin with an activity below the first limit gets no weight; between the two, a weight by its activity.

    Returns
    -------
    ``1 / (1 / correlation**2 + 1 / activity + 1 / activity)`` with the activities of the two bins, float64.
    """
    weights = np.where(correlation >= mincorr, correlation.astype(np.float64) ** 2, 0.0)
    cost = np.zeros((correlation.shape[0], correlation.shape[2]))
    if activity is not None and limits is not None:
        low, high = limits
        cost = np.where(activity > high, 0.0, 1 / np.maximum(activity, 1e-12))
        cost[activity < low] = np.inf
    for k, step in enumerate(time_lags):
        weights[:step, k] = 0.0
        with np.errstate(divide="ignore"):
            weights[step:, k] = 1 / (1 / weights[step:, k] + cost[step:] + cost[: len(cost) - step])
    return weights
