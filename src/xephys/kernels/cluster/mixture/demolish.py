"""Demolish units: drop those without which the held-out spikes are explained better."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import zeros
from xephys.kernels.lib.inner import kernel


@kernel
def removal_gains(
    candidates: NDArray[np.int32],
    joint: NDArray[np.float32],
    held_out: NDArray[np.bool_],
    log_weights: NDArray[np.float64],
    log_noise: float,
) -> NDArray[np.float64]:
    """How much the log likelihood of all held-out spikes rises if a unit is removed.

    Its spikes fall to their other candidates and to noise, and its weight to all.

    Parameters
    ----------
    candidates, joint
        Of `Expected`.
    held_out : (n_rows,) bool
    log_weights : (n_units,) float64
    log_noise : float

    Returns
    -------
    gains : (n_units,) float64

    Examples
    --------
    >>> removal_gains(np.array([[0]], np.int32), np.array([[0.0]], np.float32), np.array([True]), np.log([0.5]), 0.0)
    array([0.])
    """
    gains = zeros(len(log_weights))
    n_held_out = 0
    for i in range(len(candidates)):
        if not held_out[i]:
            continue
        n_held_out += 1
        largest = log_noise
        for k in range(candidates.shape[1]):
            if candidates[i, k] >= 0:
                largest = max(largest, float(joint[i, k]))
        total = np.exp(log_noise - largest)
        for k in range(candidates.shape[1]):
            if candidates[i, k] >= 0:
                total += np.exp(joint[i, k] - largest)
        for k in range(candidates.shape[1]):
            if candidates[i, k] < 0:
                continue
            rest_largest = log_noise
            for other in range(candidates.shape[1]):
                if other != k and candidates[i, other] >= 0:
                    rest_largest = max(rest_largest, float(joint[i, other]))
            rest = np.exp(log_noise - rest_largest)
            for other in range(candidates.shape[1]):
                if other != k and candidates[i, other] >= 0:
                    rest += np.exp(joint[i, other] - rest_largest)
            gains[candidates[i, k]] += rest_largest + np.log(rest) - largest - np.log(total)
    for unit in range(len(gains)):
        gains[unit] -= n_held_out * np.log(1 - min(np.exp(log_weights[unit]), 0.999999))
    return gains
