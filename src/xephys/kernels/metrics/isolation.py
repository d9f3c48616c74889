"""Isolation of a unit's spikes from those of others in the space of their principal components."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack, solve_triangular
from scipy.special import chdtrc

from xephys.kernels.lib.arrays import empty, zeros
from xephys.kernels.lib.inner import kernel
from xephys.kernels.metrics.neighbors import nearest_rows

#: Probabilities are summed in blocks of this many, the largest first, until the rest is below rounding.
_BLOCK = 64


class Isolation(NamedTuple):
    """Measures of one unit."""

    isolation_distance: float
    l_ratio: float
    d_prime: float
    nn_hit_rate: float
    nn_miss_rate: float
    silhouette: float


NOTHING = Isolation(*[float("nan")] * 6)


class Scores(NamedTuple):
    """Scores of all waveforms, unit by unit.

    Attributes
    ----------
    values : (waveform, slot * component) float32
        0 in the slots that the unit of a waveform does not have.
    order : (waveform,) int64
        Their positions among the waveforms that were given.
    bounds : (unit + 1,) int64
        Start of the waveforms of each unit.
    channels : (unit, slot) int32
        Padded with -1.
    peak_channels : (unit,) int64
    sums : (unit, feature) float64
    products : (unit, feature, feature) float64
        Of every two features, summed over the waveforms of a unit.
    """

    values: NDArray[np.float32]
    order: NDArray[np.int64]
    bounds: NDArray[np.int64]
    channels: NDArray[np.int32]
    peak_channels: NDArray[np.int64]
    sums: NDArray[np.float64]
    products: NDArray[np.float64]


class Space(NamedTuple):
    """Scores on the channels of one unit, of its waveforms and of those of the units near it.

    Attributes
    ----------
    rows : (n, channel * component) float32
        Those of the unit itself come first; 0 on channels that the unit of a row does not have.
    sizes : (near,) int64
        Number of rows of each unit, the unit itself first.
    order : (n,) int64
        Positions of the rows among all waveforms that were given.
    sums : (near, feature) float64
    products : (feature, feature) float64
        Summed over all rows.
    width : int
        Number of components.
    """

    rows: NDArray[np.float32]
    sizes: NDArray[np.int64]
    order: NDArray[np.int64]
    sums: NDArray[np.float64]
    products: NDArray[np.float64]
    width: int


def unit_scores(
    projections: NDArray[np.float32],
    owners: NDArray[np.int64],
    channels: NDArray[np.int32],
    peak_channels: NDArray[np.int64],
) -> Scores:
    """Scores grouped by unit, and their sums.

    Parameters
    ----------
    projections : (waveform, component, slot) float32
    owners : (waveform,) int64
        Unit of each waveform.
    channels : (unit, slot) int32
        Padded with -1.
    peak_channels : (unit,) int64

    Examples
    --------
    >>> scores = unit_scores(np.float32([[[3, 4]], [[1, 2]]]), np.array([1, 0]), np.array([[0, 1], [1, 2]], np.int32),
    ...     np.array([0, 1]))
    >>> scores.values.tolist(), scores.sums.tolist()
    ([[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0], [3.0, 4.0]])
    """
    n_units, n_slots = channels.shape
    order = np.argsort(owners, kind="stable")
    bounds = np.searchsorted(owners[order], np.arange(n_units + 1)).astype(np.int64)
    listed = projections[order][:, :, :n_slots].transpose(0, 2, 1)
    values = np.ascontiguousarray(listed).reshape(len(owners), projections.shape[1] * n_slots)
    sums = np.zeros((n_units, values.shape[1]))
    products = np.zeros((n_units, values.shape[1], values.shape[1]))
    for unit in range(n_units):
        own = values[bounds[unit] : bounds[unit + 1]].astype(np.float64)
        sums[unit], products[unit] = own.sum(axis=0), own.T @ own
    return Scores(values, order, bounds, channels, peak_channels, sums, products)


def unit_space(scores: Scores, unit: int) -> Space:
    """Scores on the channels of a unit, of its spikes and those of the units whose peak channel is among these.

    Examples
    --------
    >>> scores = unit_scores(np.float32([[[1, 2]], [[3, 4]]]), np.array([0, 1]), np.array([[0, 1], [1, 2]], np.int32),
    ...     np.array([0, 1]))
    >>> unit_space(scores, 0).rows.tolist(), unit_space(scores, 0).sums.tolist()
    ([[1.0, 2.0], [0.0, 3.0]], [[1.0, 2.0], [0.0, 3.0]])
    """
    channels = scores.channels
    own = channels[unit][channels[unit] >= 0]
    near = np.isin(scores.peak_channels, own)
    near[unit] = False
    # In an order that does not depend on that of the units, so that no sum over them does.
    others = np.flatnonzero(near)
    sizes = np.diff(scores.bounds)[others]
    others = others[np.lexsort((*scores.sums[others].T, sizes, scores.peak_channels[others]))]
    listed = np.concatenate([[unit], others])
    place = np.full(int(channels.max(initial=-1)) + 2, -1)  # the last is that of empty slots
    place[own] = np.arange(len(own))
    places = place[channels[listed]]
    width = scores.values.shape[1] // channels.shape[1]
    starts, stops = scores.bounds[listed], scores.bounds[listed + 1]
    rows, order, sums, products = _space(
        scores.values, scores.order, scores.sums, scores.products, listed, starts, stops, places, len(own), width
    )
    return Space(rows, stops - starts, order, sums, products, width)


@kernel
def _space(
    values: NDArray[np.float32],
    order: NDArray[np.int64],
    sums: NDArray[np.float64],
    products: NDArray[np.float64],
    units: NDArray[np.int64],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    places: NDArray[np.int64],
    n_channels: int,
    width: int,
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """The arrays of a :class:`Space`; ``places (near, slot)`` is where each slot of a unit goes, -1 for nowhere."""
    n, size = (stops - starts).sum(), n_channels * width
    rows, numbers = zeros((n, size), np.float32), empty(n, np.int64)
    sums_here, products_here = zeros((units.size, size)), zeros((size, size))
    n_slots, at = places.shape[1], 0
    for number in range(units.size):
        unit = units[number]
        for i in range(starts[number], stops[number]):
            numbers[at] = order[i]
            for s in range(n_slots):
                there = places[number, s] * width
                if there >= 0:
                    for k in range(width):
                        rows[at, there + k] = values[i, s * width + k]
            at += 1
        for s in range(n_slots):
            there = places[number, s] * width
            if there < 0:
                continue
            for k in range(width):
                sums_here[number, there + k] = sums[unit, s * width + k]
                for r in range(n_slots):
                    across = places[number, r] * width
                    if across >= 0:
                        for q in range(width):
                            products_here[there + k, across + q] += products[unit, s * width + k, r * width + q]
    return rows, numbers, sums_here, products_here


def isolation(scores: Scores, unit: int, *, n_spikes_max: int = 10_000, n_neighbors: int = 5) -> Isolation:
    """All measures of one unit, in its :func:`unit_space`.

    Parameters
    ----------
    scores : Scores
        From :func:`unit_scores`.
    unit : int
    n_spikes_max, n_neighbors : int
        Limits for the nearest-neighbor rates: more rows are thinned evenly.

    Returns
    -------
    Isolation
        Isolation distance (Harris et al. 2001) and L-ratio (Schmitzer-Torbert et al. 2005): NaN for fewer than two
        spikes on either side, or no more than features. d' along the linear discriminant (Hill et al. 2011). The share
        of the unit's own spikes among the neighbors of its own spikes, and among the neighbors of others' (Chung et al.
        2017): 1 and 0 for a unit without others. Simplified silhouette (Hruschka et al. 2004), from distances to
        centers.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> projections = rng.normal(size=(400, 3, 1)).astype(np.float32)
    >>> projections[:200, 0] += 12
    >>> channels = np.zeros((2, 1), np.int32)
    >>> scores = unit_scores(projections, np.repeat([0, 1], 200), channels, np.zeros(2, np.int64))
    >>> found = isolation(scores, 0)
    >>> found.nn_hit_rate, found.l_ratio < 0.01, found.d_prime > 8
    (1.0, True, True)
    """
    space = unit_space(scores, unit)
    if not space.sizes[0]:
        return NOTHING
    hit, miss = _neighbor_rates(space, n_spikes_max=n_spikes_max, n_neighbors=n_neighbors)
    own = space.rows[: space.sizes[0]].astype(np.float64)
    return Isolation(*_mahalanobis(own, space), _d_prime(own, space), hit, miss, _silhouette(own, space))


def _mahalanobis(own: NDArray[np.float64], space: Space) -> tuple[float, float]:
    n, n_other, n_features = len(own), len(space.rows) - len(own), own.shape[1]
    if min(n, n_other) < 2 or n <= n_features:
        return float("nan"), float("nan")
    center = space.sums[0] / n
    centered = own - center
    try:
        half = np.linalg.cholesky(centered.T @ centered / (n - 1))
    except np.linalg.LinAlgError:  # a feature is always 0
        return float("nan"), float("nan")
    apart = solve_triangular(half, np.subtract(space.rows[n:], center).T, lower=True, check_finite=False)
    squares = np.sort(np.einsum("fn,fn->n", apart, apart))
    ratio = _upper_tails(squares, n_features) / n
    return float(squares[min(n, n_other) - 1]), ratio


def _upper_tails(squares: NDArray[np.float64], n_features: int) -> float:
    """Sum of the probabilities that a chi-square variable is larger than each of the ascending values."""
    total = 0.0
    for first in range(0, len(squares), _BLOCK):
        tails = chdtrc(n_features, squares[first : first + _BLOCK])
        total += float(tails.sum())
        if tails[-1] * (len(squares) - first) <= 1e-17 * total:
            break
    return total


def _d_prime(own: NDArray[np.float64], space: Space) -> float:
    n, n_other = len(own), len(space.rows) - len(own)
    if not n_other or n + n_other <= 2:
        return float("nan")
    center, far = space.sums[0] / n, space.sums[1:].sum(axis=0) / n_other
    own_products = own.T @ own
    first = own_products - n * np.outer(center, center)
    second = space.products - own_products - n_other * np.outer(far, far)
    apart = center - far
    direction = _solved((first + second) / (n + n_other - 2), apart)
    spread = (direction @ first @ direction / n + direction @ second @ direction / n_other) / 2
    return float(apart @ direction / np.sqrt(spread)) if spread > 0 else float("nan")


def _solved(matrix: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solution of a symmetric system, by the pseudoinverse if the matrix is nearly singular."""
    factor, failed = lapack.dpotrf(matrix)
    if not failed and lapack.dpocon(factor, np.abs(matrix).sum(axis=0).max())[0] > 1e-6:
        return np.asarray(lapack.dpotrs(factor, values)[0])
    return np.asarray(np.linalg.pinv(matrix, rcond=1e-8, hermitian=True) @ values)


def _neighbor_rates(space: Space, *, n_spikes_max: int, n_neighbors: int) -> tuple[float, float]:
    n_own, n = int(space.sizes[0]), len(space.rows)
    if n_own == n:
        return 1.0, 0.0
    rows = space.rows
    if n > n_spikes_max:
        # Thinned in the order in which the waveforms were given, and brought back into that of the units.
        listed = np.concatenate([np.arange(n_own), n_own + np.argsort(space.order[n_own:], kind="stable")])
        rows = rows[np.sort(listed[np.arange(0, n - 1, n / n_spikes_max).astype(np.int64)])]
        n_own = int(n_own * n_spikes_max / n)
    if len(rows) <= n_neighbors or not n_own:
        return float("nan"), float("nan")
    near = nearest_rows(rows, n_neighbors=n_neighbors, width=space.width) < n_own
    return float(near[:n_own].mean()), float(near[n_own:].mean())


def _silhouette(own: NDArray[np.float64], space: Space) -> float:
    filled = np.flatnonzero(space.sizes > 0)
    if len(filled) < 2:
        return float("nan")
    centers = space.sums[filled] / space.sizes[filled][:, None]
    squares = (own**2).sum(axis=1)[:, None] - 2 * (own @ centers.T) + (centers**2).sum(axis=1)
    distances = np.sqrt(np.maximum(squares, 0.0))
    inside, others = distances[:, 0], distances[:, 1:]
    nearest = others[:, others.mean(axis=0).argmin()]
    return float(np.mean((nearest - inside) / np.maximum(nearest, inside)))
