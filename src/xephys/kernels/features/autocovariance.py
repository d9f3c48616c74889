"""Autocovariance of noise, from stretches without spikes, and its inverse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: White noise that is added to the autocovariance, in parts of the variance: no frequency is without noise.
WHITE_SHARE = 0.05
#: Peaks larger than this, in noise levels, are no noise.
QUIET = 4.0


def autocovariance(
    excerpts: Sequence[NDArray[np.floating[Any]]],
    noise_levels: NDArray[np.float64],
    good: NDArray[np.bool_],
    n_lags: int,
) -> NDArray[np.float64]:
    """Autocovariance of noise divided by its level, from stretches without spikes.

    Parameters
    ----------
    excerpts : sequence of float (sample, channel)
        Traces.
    noise_levels, good : (channel,)
        Level of each channel, and which channels count.
    n_lags : int
        Number of lags, and length of a stretch.

    Returns
    -------
    float64 (lag,)
        1 at lag 0; of white noise if no stretch is quiet.

    Examples
    --------
    >>> white = np.random.default_rng(0).standard_normal((9000, 2))
    >>> found = autocovariance([white], np.ones(2), np.ones(2, bool), 3)
    >>> bool(found[0] == 1 and np.abs(found[1:]).max() < 0.05)
    True
    """
    total, n = np.zeros(n_lags), 0
    for part in excerpts:
        n_stretches = len(part) // n_lags
        scaled = part[: n_stretches * n_lags, good] / noise_levels[good]
        stretches = scaled.reshape(n_stretches, n_lags, -1).transpose(0, 2, 1).reshape(-1, n_lags)
        quiet = stretches[np.abs(stretches).max(axis=1, initial=0.0) < QUIET]
        power = np.abs(np.fft.rfft(quiet, 2 * n_lags, axis=1)) ** 2
        total += np.fft.irfft(power.sum(axis=0), 2 * n_lags)[:n_lags]
        n += len(quiet)
    if n == 0:
        return np.asarray(np.eye(1, n_lags)[0])
    unbiased = total / (n * (n_lags - np.arange(n_lags)))
    return np.asarray(unbiased / unbiased[0])


def precision_of(autocovariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverse covariance, (lag, lag), of as many adjacent samples of that noise as there are lags."""
    lags = np.abs(np.arange(len(autocovariance))[:, None] - np.arange(len(autocovariance)))
    covariance = autocovariance[lags] + WHITE_SHARE * np.eye(len(autocovariance))
    # A covariance that was estimated may lack a positive eigenvalue; noise has none below the white part.
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors / np.maximum(values, WHITE_SHARE)) @ vectors.T)
