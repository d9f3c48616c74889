"""Split a unit: cut its spikes in several ways, join parts again, and take what explains held-out spikes best."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.cluster.mixture.expect import Expected, dot
from xephys.kernels.cluster.mixture.fit import Mixture
from xephys.kernels.cluster.mixture.group import N_ITERATIONS_MAX, Group, Members, evaluate, only, parts_of, spikes_of
from xephys.kernels.cluster.mixture.neighborhoods import Neighborhoods, Rows
from xephys.kernels.cluster.mixture.pairs import Projected, pairs_of, project_units
from xephys.kernels.lib.arrays import copy_values, full, zeros
from xephys.kernels.lib.inner import kernel
from xephys.kernels.lib.splitmix import splitmix

#: Parts into which a unit is cut at first, number of tries, and rounds of each.
N_PARTS, N_TRIES, N_ROUNDS = 4, 5, 25


class Change(NamedTuple):
    """Units to be replaced by others, and the rise of the criterion over all held-out spikes."""

    units: tuple[int, ...]
    parts: Mixture
    gain: float


def split_unit(
    rows: Rows,
    neighborhoods: Neighborhoods,
    mixture: Mixture,
    expected: Expected,
    members: Members,
    entropy_weight: float,
    n_spikes_min: int,
    seed: int,
    unit: int,
) -> Change | None:
    """The best division of a unit into two to four parts, or None if none is better than the unit.

    Parameters
    ----------
    rows, neighborhoods, mixture, expected, members
        Spikes, model, last E-step and the spikes of every unit.
    entropy_weight : float
        See :func:`~xephys.kernels.cluster.mixture.fit.criterion`.
    n_spikes_min : int
        Minimum number of spikes of a part, of both halves together.
    seed : int
    unit : int
    """
    group = spikes_of(rows, expected, members, [unit], log_noise=mixture.log_noise)
    fitted = ~group.rows.held_out
    if fitted.sum() < n_spikes_min or len(group.labels) - fitted.sum() < n_spikes_min:
        return None
    alone = only(mixture, [unit])
    _, before = evaluate(group, alone, neighborhoods, entropy_weight=entropy_weight)
    total = float(np.exp(alone.log_weights[0]))
    places = factor_places(group.rows, alone, neighborhoods)
    fit = partial(_fitted, group, neighborhoods, alone, entropy_weight=entropy_weight)
    best: Change | None = None
    for labels in _cuts(places, fitted, np.uint64(seed + unit + 1)):
        labels = _without_small(labels, n_spikes_min)
        while labels.max(initial=-1) > 0:
            parts, value = fit(labels, N_ITERATIONS_MAX)
            gain = value - before
            if gain > (best.gain if best else 0.0) and _all_used(parts, total, group, n_spikes_min):
                best = Change((unit,), parts, gain)
            if labels.max() == 1:
                break
            labels = max(_joins(labels), key=lambda joined: fit(joined, 1)[1])
    return best


def _cuts(places: NDArray[np.float64], fitted: NDArray[np.bool_], seed: np.uint64) -> Iterator[NDArray[np.int32]]:
    """Labels of the fitted spikes, -1 for the others: in four parts by all factors, then in two by each factor alone.

    Where the amplitude varies much, four parts differ by amplitude only; two neurons then lie apart along a smaller
    factor.
    """
    for n_parts, own in [(N_PARTS, places), *[(2, places[:, axis : axis + 1]) for axis in range(places.shape[1])]]:
        labels = np.full(len(places), -1, np.int32)
        labels[fitted] = k_means(np.ascontiguousarray(own[fitted]), n_parts, N_TRIES, N_ROUNDS, seed)
        yield labels


def _fitted(
    group: Group,
    neighborhoods: Neighborhoods,
    alone: Mixture,
    labels: NDArray[np.int32],
    n_iterations_max: int,
    *,
    entropy_weight: float,
) -> tuple[Mixture, float]:
    """Parts fitted from labels, and their criterion."""
    parts = parts_of(group, labels, neighborhoods, alone)
    return evaluate(group, parts, neighborhoods, entropy_weight=entropy_weight, n_iterations_max=n_iterations_max)


def _joins(labels: NDArray[np.int32]) -> Iterator[NDArray[np.int32]]:
    """Labels with two parts joined, for every two parts."""
    for second in range(1, int(labels.max()) + 1):
        for first in range(second):
            joined = np.where(labels == second, first, labels)
            yield np.where(joined > second, joined - 1, joined).astype(np.int32)


def _all_used(parts: Mixture, total: float, group: Group, n_spikes_min: int) -> bool:
    """Whether every part has enough spikes of both halves."""
    n_spikes = 2 * int((~group.rows.held_out).sum())
    return bool((np.exp(parts.log_weights) / total * n_spikes >= n_spikes_min).all())


def _without_small(labels: NDArray[np.int32], n_spikes_min: int) -> NDArray[np.int32]:
    """Labels of parts with enough fitted spikes, without gaps."""
    counts = np.bincount(labels[labels >= 0])
    kept = 2 * counts >= n_spikes_min
    number = np.append(np.where(kept, np.cumsum(kept) - 1, -1), -1)
    return number[labels].astype(np.int32)


def factor_places(rows: Rows, unit: Mixture, neighborhoods: Neighborhoods) -> NDArray[np.float64]:
    """The expected factors of spikes of one unit, scaled so that distances are those of whitened features.

    Expected factors exist whatever channels a spike lacks, and the loadings are the directions of largest variance:
    two neurons under one mean lie apart along them.

    Returns
    -------
    places : (n_rows, rank) float64
    """
    pairs = pairs_of(unit.possible)
    seen = Projected(
        *project_units(unit.loadings, pairs.starts, pairs.units, neighborhoods.entries, neighborhoods.whiten)
    )
    pair_of = np.where(unit.possible[:, 0], pairs.starts[:-1], -1)
    factors = _factors(rows.whitened, pair_of[rows.neighborhood], seen.directions, seen.shift, seen.posterior)
    counts = np.bincount(pair_of[rows.neighborhood], minlength=len(pairs.units))
    gram = np.linalg.inv(seen.posterior[int(counts.argmax())]) - np.eye(factors.shape[1])
    variances, axes = np.linalg.eigh(gram)
    axes = axes * np.where(axes[np.abs(axes).argmax(axis=0), np.arange(len(axes))] < 0, -1.0, 1.0)
    scaled: NDArray[np.float64] = factors @ (axes * np.sqrt(np.maximum(variances, 0.0)))
    return scaled


@kernel
def _factors(
    whitened: NDArray[np.float32],
    pair: NDArray[np.int64],
    directions: NDArray[np.float32],
    shift: NDArray[np.float64],
    posterior: NDArray[np.float64],
) -> NDArray[np.float64]:
    rank = shift.shape[1]
    factors = zeros((len(whitened), rank))
    for i in range(len(whitened)):
        for b in range(rank):
            value = dot(directions[pair[i], 1 + b], whitened[i]) - shift[pair[i], b]
            for a in range(rank):
                factors[i, a] += posterior[pair[i], a, b] * value
    return factors


@kernel
def k_means(
    points: NDArray[np.float64], n_clusters: int, n_tries: int, n_rounds: int, seed: np.uint64
) -> NDArray[np.int32]:
    """Labels of the best of several tries of k-means from random points far apart.

    Parameters
    ----------
    points : (n_points, n_dims) float64
    n_clusters, n_tries, n_rounds : int
    seed : uint64

    Returns
    -------
    labels : (n_points,) int32

    Examples
    --------
    >>> labels = k_means(np.array([[0.0], [0.1], [5.0], [5.1]]), 2, 3, 10, np.uint64(1))
    >>> bool(labels[0] == labels[1] != labels[2] == labels[3])
    True
    """
    n_points, n_dims = points.shape
    best, found = np.inf, zeros(n_points, np.int32)
    n_clusters = min(n_clusters, n_points)
    for attempt in range(n_tries):
        centers = zeros((n_clusters, n_dims))
        distances = full(n_points, np.inf)
        labels = zeros(n_points, np.int32)
        for k in range(n_clusters):
            draw = splitmix(seed * np.uint64(0x9E3779B97F4A7C15) + np.uint64(attempt * n_clusters + k + 1))
            share = float(draw >> np.uint64(11)) / 9007199254740992.0
            chosen = min(int(share * n_points), n_points - 1)
            if k:
                left = share * distances.sum()
                for i in range(n_points):
                    left -= distances[i]
                    if left <= 0:
                        chosen = i
                        break
            copy_values(points[chosen], centers[k])
            for i in range(n_points):
                distances[i] = min(distances[i], np.sum((points[i] - centers[k]) ** 2))
        total = 0.0
        for _ in range(n_rounds):
            before, total = total, 0.0
            sums = zeros((n_clusters, n_dims))
            counts = zeros(n_clusters, np.int64)
            for i in range(n_points):
                nearest = np.inf
                for k in range(n_clusters):
                    distance = 0.0
                    for d in range(n_dims):
                        distance += (points[i, d] - centers[k, d]) ** 2
                    if distance < nearest:
                        nearest, labels[i] = distance, k
                total += nearest
                counts[labels[i]] += 1
                for d in range(n_dims):
                    sums[labels[i], d] += points[i, d]
            for k in range(n_clusters):
                if counts[k]:
                    copy_values(sums[k] / counts[k], centers[k])
            if total == before:
                break
        if total < best:
            best, found = total, labels
    return found
