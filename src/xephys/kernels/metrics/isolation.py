"""Isolation of a unit's spikes from those of others in the space of their principal components."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.stats import chi2

from xephys.kernels.metrics.neighbors import nearest_rows


class Isolation(NamedTuple):
    """Measures of one unit."""

    isolation_distance: float
    l_ratio: float
    d_prime: float
    nn_hit_rate: float
    nn_miss_rate: float
    silhouette: float


NOTHING = Isolation(*[float("nan")] * 6)


def unit_space(
    projections: NDArray[np.float32],
    owners: NDArray[np.int64],
    channels: NDArray[np.int32],
    peak_channels: NDArray[np.int64],
    unit: int,
    *,
    n_channels: int,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Scores on the channels of a unit, for its spikes and those of the units whose peak channel is among these.

    Parameters
    ----------
    projections : (waveform, component, slot) float32
    owners : (waveform,) int64
        Unit of each waveform.
    channels : (unit, slot) int32
        Padded with -1.
    peak_channels : (unit,) int64
    unit : int
    n_channels : int

    Returns
    -------
    rows : (n, component * channel) float32
        Zero on channels that the unit of a waveform does not have.
    labels : (n,) int64

    Examples
    --------
    >>> rows, labels = unit_space(np.float32([[[1, 2]], [[3, 4]]]), np.array([0, 1]),
    ...     np.array([[0, 1], [1, 2]], np.int32), np.array([0, 1]), 0, n_channels=3)
    >>> rows.tolist(), labels.tolist()
    ([[1.0, 2.0], [0.0, 3.0]], [0, 1])
    """
    own = channels[unit][channels[unit] >= 0]
    near = np.isin(peak_channels, own)
    near[unit] = True
    kept = np.flatnonzero(near[owners])
    place = np.full(n_channels + 1, len(own))  # channels that the unit does not have go to a column that is cut off
    place[own] = np.arange(len(own))
    labels = owners[kept]
    rows = np.zeros((len(kept), projections.shape[1], len(own) + 1), np.float32)
    columns = np.where(channels[labels] >= 0, place[channels[labels]], len(own))
    np.put_along_axis(rows, columns[:, None, :], projections[kept][:, :, : channels.shape[1]], axis=2)
    return np.ascontiguousarray(rows[:, :, : len(own)]).reshape(len(kept), projections.shape[1] * len(own)), labels


def isolation(
    rows: NDArray[np.float32],
    labels: NDArray[np.int64],
    unit: int,
    *,
    n_spikes_max: int = 10_000,
    n_neighbors: int = 5,
) -> Isolation:
    """All measures of one unit.

    Parameters
    ----------
    rows : (n, feature) float32
    labels : (n,) int64
    unit : int
    n_spikes_max, n_neighbors : int
        Limits for the nearest-neighbor rates: more rows are thinned evenly.

    Returns
    -------
    Isolation
        Isolation distance (Harris et al. 2001) and L-ratio (Schmitzer-Torbert et al. 2005): NaN for fewer than two
        spikes on either side, or fewer than features. d' along the linear discriminant (Hill et al. 2011). The share of
        the unit's own spikes among the neighbors of its own spikes, and among the neighbors of others' (Chung et al.
        2017): 1 and 0 for a unit without others. Simplified silhouette (Hruschka et al. 2004), from distances to
        centers.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rows = rng.normal(size=(400, 3)).astype(np.float32)
    >>> rows[:200, 0] += 12
    >>> found = isolation(rows, np.repeat([0, 1], 200), 0)
    >>> found.nn_hit_rate, found.l_ratio < 0.01, found.d_prime > 8
    (1.0, True, True)
    """
    own, other = rows[labels == unit].astype(np.float64), rows[labels != unit].astype(np.float64)
    if not len(own):
        return NOTHING
    distance, ratio = _mahalanobis(own, other)
    hit, miss = _neighbor_rates(rows, labels, unit, n_spikes_max=n_spikes_max, n_neighbors=n_neighbors)
    return Isolation(distance, ratio, _d_prime(own, other), hit, miss, _silhouette(own, rows, labels, unit))


def _mahalanobis(own: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[float, float]:
    n = min(len(own), len(other))
    if n < 2:
        return float("nan"), float("nan")
    covariance = np.atleast_2d(np.cov(own.T))
    try:
        half = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:  # fewer spikes than features, or a feature that is always 0
        return float("nan"), float("nan")
    apart = solve_triangular(half, (other - own.mean(axis=0)).T, lower=True, check_finite=False)
    squares = (apart**2).sum(axis=0)
    ratio = chi2.sf(squares, own.shape[1]).sum() / len(own)
    return float(np.partition(squares, n - 1)[n - 1]), float(ratio)


def _d_prime(own: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    n = len(own) + len(other)
    if not len(other) or n <= 2:
        return float("nan")
    apart = own.mean(axis=0) - other.mean(axis=0)
    centered = np.concatenate([own - own.mean(axis=0), other - other.mean(axis=0)])
    within = centered.T @ centered / (n - 2)
    direction = np.linalg.pinv(within, rcond=1e-8, hermitian=True) @ apart
    first, second = own @ direction, other @ direction
    spread = np.sqrt((first.var() + second.var()) / 2)
    return float((first.mean() - second.mean()) / spread) if spread > 0 else float("nan")


def _neighbor_rates(
    rows: NDArray[np.float32], labels: NDArray[np.int64], unit: int, *, n_spikes_max: int, n_neighbors: int
) -> tuple[float, float]:
    own = labels == unit
    if own.all():
        return 1.0, 0.0
    order = np.concatenate([np.flatnonzero(own), np.flatnonzero(~own)])
    n_own, n = int(own.sum()), len(order)
    if n > n_spikes_max:
        order = order[np.arange(0, n - 1, n / n_spikes_max).astype(np.int64)]
        n_own = int(n_own * n_spikes_max / n)
    if len(order) <= n_neighbors or not n_own:
        return float("nan"), float("nan")
    near = nearest_rows(rows[order], n_neighbors=n_neighbors) < n_own
    return float(near[:n_own].mean()), float(near[n_own:].mean())


def _silhouette(own: NDArray[np.float64], rows: NDArray[np.float32], labels: NDArray[np.int64], unit: int) -> float:
    nearest: NDArray[np.float64] | None = None
    for label in np.unique(labels[labels != unit]):
        distances = np.linalg.norm(own - rows[labels == label].mean(axis=0, dtype=np.float64), axis=1)
        if nearest is None or distances.mean() < nearest.mean():
            nearest = distances
    if nearest is None:
        return float("nan")
    inside = np.linalg.norm(own - own.mean(axis=0), axis=1)
    return float(np.mean((nearest - inside) / np.maximum(nearest, inside)))


def isolations(
    projections: NDArray[np.float32],
    owners: NDArray[np.int64],
    channels: NDArray[np.int32],
    peak_channels: NDArray[np.int64],
    unit: int,
    *,
    n_channels: int,
) -> Isolation:
    """:func:`isolation` of one unit in its :func:`unit_space`; parameters as there."""
    rows, labels = unit_space(projections, owners, channels, peak_channels, unit, n_channels=n_channels)
    return isolation(rows, labels, unit)
