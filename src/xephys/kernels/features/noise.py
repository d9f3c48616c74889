"""Projections of noise on temporal components."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.constants import MAD_OF_NORMAL


def feature_noise(
    excerpts: Sequence[NDArray[np.floating[Any]]],
    basis: NDArray[np.float64],
    *,
    good: NDArray[np.bool_],
    mapped: Callable[..., Iterable[Any]] = map,
) -> float:
    """Standard deviation of the projections of noise, from their median absolute value.

    Adjoining windows cover each excerpt regardless of spikes; the median is insensitive to the few windows that hold
    one.

    Parameters
    ----------
    excerpts : sequence of (n_samples, n_channels) float
    basis : (n_components, n_window) float64
        Orthonormal components.
    good : (n_channels,) bool
        Channels that are used.
    mapped : callable
        Function that applies another to each excerpt, in order, as `map` does, and that may do so in threads.

    Returns
    -------
    float
        In the unit of the traces; 0 if no excerpt is as long as a component.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(0, 3.0, (30_000, 2))
    >>> round(feature_noise([noise], np.eye(2, 20), good=np.ones(2, bool)), 1)
    2.9
    """
    length, n_good = basis.shape[1], int(good.sum())

    def magnitudes_of(excerpt: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        n_windows = len(excerpt) // length
        windows = excerpt[: n_windows * length, good].reshape(n_windows, length, n_good)
        return np.asarray(np.abs(np.einsum("kt,wtc->wkc", basis, windows, optimize=True)).ravel())

    values = list(mapped(magnitudes_of, excerpts))
    magnitudes = np.concatenate(values) if values else np.zeros(0)
    return float(np.median(magnitudes)) / MAD_OF_NORMAL if magnitudes.size else 0.0


#: A feature beyond this number of standard deviations belongs to a spike, and its window is left out on that channel.
SPIKE_SDS = 4.0
#: The smallest eigenvalue of the channels' covariance, as a share of the mean variance.
EIGENVALUE_MIN = 1e-2


def feature_covariance(
    excerpts: Sequence[NDArray[np.floating[Any]]],
    basis: NDArray[np.float64],
    *,
    distances_um: NDArray[np.float64],
    radius_um: float,
) -> NDArray[np.float64]:
    """Covariance of the projections of noise: that of the channels times that of the components.

    Adjoining windows cover each excerpt. A channel on which a window exceeds 4 robust standard deviations in any
    component holds a spike there and counts as missing.

    Parameters
    ----------
    excerpts : sequence of (n_samples, n_channels) float
    basis : (n_components, n_window) float64
    distances_um : (n_channels, n_channels) float64
    radius_um : float
        Channels farther apart are independent; the covariance falls smoothly to 0 there.

    Returns
    -------
    covariance : (n_channels, n_components, n_channels, n_components) float64
        Positive definite; all 0 if no excerpt is as long as a component, or all are silent.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(0, 2.0, (30_000, 2))
    >>> apart = np.array([[0.0, 20.0], [20.0, 0.0]])
    >>> found = feature_covariance([noise], np.eye(2, 20), distances_um=apart, radius_um=100.0)
    >>> found.reshape(4, 4).diagonal().round().tolist()
    [4.0, 4.0, 4.0, 4.0]
    """
    (n_components, length), n_channels = basis.shape, len(distances_um)
    parts = []
    for excerpt in excerpts:
        n_windows = len(excerpt) // length
        windows = excerpt[: n_windows * length].reshape(n_windows, length, n_channels)
        parts.append(np.einsum("kt,wtc->wck", basis, windows, optimize=True))
    values = np.concatenate(parts) if parts else np.zeros((0, n_channels, n_components))
    silent = np.zeros((n_channels, n_components, n_channels, n_components))
    if not len(values):
        return silent
    deviation = np.median(np.abs(values), axis=0) / MAD_OF_NORMAL
    counted = np.asarray((np.abs(values) <= SPIKE_SDS * deviation).all(axis=2), np.float64)
    values = values * counted[..., None]
    pairs = np.maximum(counted.T @ counted, 1.0)
    components = np.einsum("wck,wcl->kl", values, values)
    if not components.trace() > 0:
        return silent
    components *= n_components / components.trace()
    # The components of a window are made independent, so that all of them count alike for the channels.
    white = np.einsum("wck,kl->wcl", values, np.linalg.inv(np.linalg.cholesky(components)).T)
    channels = np.einsum("wcl,wdl->cd", white, white, optimize=True) / (pairs * n_components)
    near = np.clip(1 - distances_um / radius_um, 0.0, None)
    # This taper is 1 at no distance and positive definite in three dimensions, so that it keeps covariances positive.
    channels *= near**4 * (4 * distances_um / radius_um + 1)
    variances, axes = np.linalg.eigh(channels)
    channels = (axes * np.maximum(variances, EIGENVALUE_MIN * variances.mean())) @ axes.T
    covariance: NDArray[np.float64] = np.einsum("cd,kl->ckdl", channels, components)
    return covariance
