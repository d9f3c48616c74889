"""The part of its spikes that the mean of a unit leaves unexplained."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.cluster.parts import rows_by_label

#: Quantile over the spikes of a unit, and again over units; its standard score.
QUANTILE, QUANTILE_Z = 0.9, 1.2816
#: Lower limit, because a mean explains its own spikes better than later ones.
UNEXPLAINED_MIN = 0.005


def unexplained_shares(
    projection: NDArray[np.float32],
    channel: NDArray[np.int64],
    labels: NDArray[np.int32],
    *,
    noise: float,
    each: Callable[..., Iterable[float]] = map,
) -> NDArray[np.float64]:
    """Share of a spike's energy that its unit's mean, at the best amplitude, leaves unexplained beyond noise.

    Parameters
    ----------
    projection : (n_spikes, n_slots, n_components) float32
    channel : (n_spikes,) int64
        Peak channel of each spike.
    labels : (n_spikes,) int32
        Unit of each; every unit has spikes.
    noise : float
        Standard deviation of the projections of noise.
    each : callable
        Applies a function to each item, as `map` does; it may use threads.

    Returns
    -------
    (n_units,) float64
        The 0.9 quantile over the spikes of each unit, at least the 0.9 quantile over all units: drift affects the units
        of a probe alike, so no unit gets a lower value than most of them.

    Examples
    --------
    >>> projection = np.array([[[10, 5]], [[10, -5]], [[10, 5]], [[10, -5]]], np.float32)
    >>> unexplained_shares(projection, np.zeros(4, int), np.zeros(4, np.int32), noise=0.1).round(2).tolist()
    [0.25]
    """
    _, unit_rows = rows_by_label(labels)
    if not unit_rows:
        return np.zeros(0)
    shares = np.array(list(each(lambda rows: _share(projection[rows], channel[rows], noise), unit_rows)))
    return np.asarray(np.maximum(shares, np.quantile(shares, QUANTILE)))


def _share(projection: NDArray[np.float32], channel: NDArray[np.int64], noise: float) -> float:
    """The share of one unit, from its spikes on its most frequent peak channel."""
    common = np.bincount(channel).argmax()
    at_common = projection[channel == common].astype(np.float64)
    live = at_common[0].any(axis=1)  # a spike is 0 throughout only on slots that no channel fills
    live[~live] = at_common[:, ~live].any(axis=(0, 2))
    features = at_common[:, live].reshape(len(at_common), -1)
    mean = features.mean(axis=0)
    amplitude = features @ (mean / max(float(np.linalg.norm(mean)), 1e-30))
    left = np.maximum((features**2).sum(axis=1) - amplitude**2, 0)
    # The quantile of chi squared, by the approximation of Wilson and Hilferty (1931).
    n = max(features.shape[1] - 1, 1)
    by_noise = noise**2 * n * (1 - 2 / (9 * n) + QUANTILE_Z * np.sqrt(2 / (9 * n))) ** 3
    beyond = np.quantile(left, QUANTILE) - by_noise
    return max(float(beyond / max(np.median(amplitude**2), 1e-30)), UNEXPLAINED_MIN)
