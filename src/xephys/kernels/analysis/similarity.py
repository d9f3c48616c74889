"""Similarity of templates, on the channels that one or both of them have."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import empty, zeros
from xephys.kernels.lib.inner import helper, kernel

#: Distance measures by name, with their numbers in the kernel.
METHODS = {"l1": 0, "l2": 1, "cosine": 2}
#: Channels on which two templates are compared.
SUPPORTS = {"union": 0, "intersection": 1, "dense": 2}


@kernel
def similarities(
    templates: NDArray[np.float32],
    mask: NDArray[np.bool_],
    wanted: NDArray[np.bool_],
    lag_samples: int,
    method: int,
    support: int,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Similarity of every pair at its best lag, and that lag.

    Parameters
    ----------
    templates : (unit, sample, channel) float32
        Zero on channels outside the mask.
    mask : (unit, channel) bool
    wanted : (unit,) bool
        Pairs of which neither unit is wanted are left at 0.
    lag_samples : int
        Samples cut from both ends of the templates, so that the second can be shifted against the first.
    method, support : int
        From `METHODS` and `SUPPORTS`.

    Returns
    -------
    similarity : (unit, unit) float32
        1 minus the distance: the L1 or L2 norm of the difference over the sum of the two norms, or 1 minus the cosine;
        0 without a common channel.
    lag : (unit, unit) int64
        Samples by which the second template is later than the first; antisymmetric.

    Examples
    --------
    >>> templates = np.float32([[[1], [2], [1], [0]], [[0], [1], [2], [1]]])
    >>> mask, wanted = np.ones((2, 1), bool), np.ones(2, bool)
    >>> similarity, lag = similarities(templates, mask, wanted, 1, METHODS["cosine"], SUPPORTS["union"])
    >>> similarity.round(3).tolist(), lag.tolist()
    ([[1.0, 1.0], [1.0, 1.0]], [[0, 1], [-1, 0]])
    """
    n_units, n_samples, n_channels = templates.shape
    similarity = zeros((n_units, n_units), np.float32)
    lags = zeros((n_units, n_units), np.int64)
    listed = empty(n_channels, np.int64)
    for a in range(n_units):
        for b in range(a, n_units):
            if not (wanted[a] or wanted[b]):
                continue
            n_listed, common = 0, False
            for c in range(n_channels):
                both = mask[a, c] and mask[b, c]
                common = common or both
                if support == 2 or both or (support == 0 and (mask[a, c] or mask[b, c])):
                    listed[n_listed] = c
                    n_listed += 1
            if n_listed == 0 or (support != 2 and not common):
                continue
            best, best_lag = -np.inf, 0
            for lag in range(-lag_samples, lag_samples + 1):
                value = _similarity(templates[a], templates[b], listed[:n_listed], lag, lag_samples, n_samples, method)
                if value > best:
                    best, best_lag = value, lag
            similarity[a, b] = similarity[b, a] = best
            lags[a, b], lags[b, a] = best_lag, -best_lag
    return similarity, lags


@helper
def _similarity(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    channels: NDArray[np.int64],
    lag: int,
    lag_samples: int,
    n_samples: int,
    method: int,
) -> float:
    norm_a = norm_b = joint = 0.0
    for t in range(lag_samples, n_samples - lag_samples):
        for c in channels:
            x, y = np.float64(first[t, c]), np.float64(second[t + lag, c])
            if method == 0:
                norm_a += abs(x)
                norm_b += abs(y)
                joint += abs(x - y)
            else:
                norm_a += x * x
                norm_b += y * y
                joint += (x - y) * (x - y) if method == 1 else x * y
    if method > 0:
        norm_a, norm_b = np.sqrt(norm_a), np.sqrt(norm_b)
    if method == 2:
        return joint / (norm_a * norm_b) if norm_a * norm_b > 0 else 0.0
    total = norm_a + norm_b
    if method == 1:
        joint = np.sqrt(joint)
    return 1.0 - joint / total if total > 0 else 0.0
