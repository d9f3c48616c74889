"""Noise that neighboring channels share, and its covariance."""

from __future__ import annotations

import numpy as np

from xephys.kernels.preprocess.whiten import covariance_sums


def correlated(rows, channels, seed=0):
    rng = np.random.default_rng(seed)
    distance = abs(np.subtract.outer(np.arange(channels), np.arange(channels)))
    mixing = np.linalg.cholesky(np.exp(-distance / 4.0))
    return (rng.normal(0, 10, (rows, channels)) @ mixing.T).astype("float32")


def covariance_of(traces):
    sum_x, sum_xx, n = covariance_sums(traces)
    return sum_xx / n - np.outer(sum_x / n, sum_x / n)
