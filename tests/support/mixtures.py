"""Features of known units on neighborhoods that lack channels, and the mixture written densely with SciPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from xephys.kernels.cluster.mixture.fit import Mixture
from xephys.kernels.cluster.mixture.neighborhoods import Neighborhoods, Rows, cells_of, find_neighborhoods

N_CHANNELS, N_COMPONENTS = 5, 2
#: Three channels around each; the last row lacks one.
NEIGHBORS = np.array([[0, 1, 2], [0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, -1]], np.int32)


def noise_covariance(seed: int = 1) -> Any:
    """A positive covariance of all features, correlated between channels."""
    size = N_CHANNELS * N_COMPONENTS
    factor = np.random.default_rng(seed).normal(size=(size, size)) * 0.25 + np.eye(size)
    return (factor @ factor.T).reshape(N_CHANNELS, N_COMPONENTS, N_CHANNELS, N_COMPONENTS)


def units(seed: int = 2, n_units: int = 3, rank: int = 2) -> Any:
    """Means and loadings ``(unit, feature, 1 + rank)``."""
    rng = np.random.default_rng(seed)
    loadings = rng.normal(size=(n_units, N_CHANNELS * N_COMPONENTS, 1 + rank))
    loadings[:, :, 0] *= 4
    return loadings


def draw(loadings: Any, covariance: Any, n_spikes: int, seed: int = 3) -> tuple[Any, Any, Any]:
    """Features ``(spike, slot, component)``, channels and units of spikes; missing slots are NaN."""
    rng = np.random.default_rng(seed)
    size = N_CHANNELS * N_COMPONENTS
    truth = rng.integers(len(loadings), size=n_spikes)
    factors = rng.normal(size=(n_spikes, loadings.shape[2] - 1))
    values = loadings[truth, :, 0] + np.einsum("sfr,sr->sf", loadings[truth, :, 1:], factors)
    values += rng.multivariate_normal(np.zeros(size), covariance.reshape(size, size), n_spikes)
    channels = rng.integers(len(NEIGHBORS), size=n_spikes)
    table = NEIGHBORS[channels]
    shaped = values.reshape(n_spikes, N_CHANNELS, N_COMPONENTS)
    features = np.where(table[:, :, None] >= 0, np.take_along_axis(shaped, table[:, :, None], axis=1), np.nan)
    return features, channels, truth


def rows_of(features: Any, channels: Any, covariance: Any, held_out: Any = None) -> tuple[Rows, Neighborhoods, Any]:
    """White rows in the order of their neighborhoods, the neighborhoods, and that order."""
    from xephys.kernels.cluster.mixture.neighborhoods import whiten_features

    sets, of_row = find_neighborhoods(NEIGHBORS, covariance, n_components=N_COMPONENTS)
    where = of_row[channels]
    order = np.argsort(where, kind="stable")
    white = whiten_features(features, order, where[order], sets.whiten, sets.entries)
    held = np.zeros(len(order), bool) if held_out is None else held_out[order]
    return Rows(white, where[order], held, cells_of(where[order])), sets, order


def everywhere_possible(loadings: Any, log_weights: Any, log_noise: float, sets: Neighborhoods) -> Mixture:
    """A mixture of units that are as frequent on every neighborhood as all spikes are."""
    counts = np.unique(NEIGHBORS, axis=0, return_counts=True)[1]
    places = np.zeros((len(sets.channels), len(loadings)))
    return Mixture(loadings, log_weights, log_noise, places, np.log(counts / counts.sum()))


def dense_joint(features: Any, channels: Any, loadings: Any, covariance: Any, log_weights: Any) -> Any:
    """Log weight plus log density of each spike under each unit, relative to noise: ``(spike, unit)``."""
    full = covariance.reshape(N_CHANNELS * N_COMPONENTS, -1)
    out = np.zeros((len(features), len(loadings)))
    for i, channel in enumerate(channels):
        seen = NEIGHBORS[channel] >= 0
        own = (NEIGHBORS[channel][seen][:, None] * N_COMPONENTS + np.arange(N_COMPONENTS)).ravel()
        x, noise = features[i][seen].ravel(), full[np.ix_(own, own)]
        background = multivariate_normal.logpdf(x, np.zeros(len(own)), noise)
        for j, unit in enumerate(loadings):
            spread = noise + unit[own, 1:] @ unit[own, 1:].T
            out[i, j] = log_weights[j] + multivariate_normal.logpdf(x, unit[own, 0], spread) - background
    return out


def dense_likelihood(joint: Any, log_noise: float) -> Any:
    """Log likelihood of each spike relative to noise."""
    return logsumexp(np.concatenate([joint, np.full((len(joint), 1), log_noise)], axis=1), axis=1)


def two_of_one(apart: float, n_spikes: int = 1200, seed: int = 4) -> tuple[Rows, Neighborhoods, Any]:
    """Spikes of two units whose means are ``apart`` noise units away, and which is which; noise is independent."""
    loadings = np.zeros((2, N_CHANNELS * N_COMPONENTS, 1))
    loadings[:, 4:6, 0] = 6.0
    loadings[1, 4, 0] += apart
    covariance = np.eye(N_CHANNELS * N_COMPONENTS).reshape(N_CHANNELS, N_COMPONENTS, N_CHANNELS, N_COMPONENTS)
    features, channels, truth = draw(loadings, covariance, n_spikes, seed=seed)
    rows, sets, order = rows_of(features, channels, covariance, np.arange(n_spikes) % 2 == 0)
    return rows, sets, truth[order].astype(np.int32)
