"""Find the spikes of other neurons among those of a unit, where the two groups overlap and differ in size or spread.

The template of a small unit also matches spikes of many far neurons. Their density has one mode, and halves of equal
spread do not fit them. A mixture of two normal distributions on the leading principal axes does; a discriminant on all
features, fitted without the spikes that it judges, then sharpens the border.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xephys.kernels.cluster.split import principal_axes
from xephys.kernels.lib.arrays import empty
from xephys.kernels.lib.inner import INNER, KERNEL
from xephys.kernels.metrics.turns import turn_taking

#: Number of axes from which a fit starts, and the shares of the points on the upper side of the cut there.
N_AXES = 3
SHARES = (0.25, 0.5, 0.75)
#: Points and rounds of expectation maximization for every start.
N_POINTS_START, N_ROUNDS_START = 1000, 8
#: Maximum number of rounds for the best of them; they end when the logarithm of the likelihood grows by less than this.
N_ROUNDS, GAIN_PER_ROUND_MIN = 60, 0.02
#: The best start is not continued if it gains less than this fraction of the penalty.
HOPELESS = 0.5
#: What is added to the variance along every axis, as a share of the smallest.
VARIANCE_ADDED = 0.2
#: Minimum gain of the logarithm of the likelihood, beyond the penalty of the Bayesian information criterion.
GAIN_MIN = 10.0
#: Rounds of the discriminant, and the weight of the identity in its covariance.
N_ROUNDS_SHARPER, SHRINKAGE, N_FOLDS = 3, 0.1, 5
#: Groups of one shape, by the cosine of their means, are one unit whose amplitude varies.
LIKENESS_MAX = 0.95
#: Groups that take turns are one unit that drifts, or one of them is made of artifacts (see `turn_taking`).
TURN_TAKING_MAX = 0.2
#: Number of principal axes of the mixture; channels with less than this fraction of the energy of the strongest are not
#: used.
N_DIMS, REACHED_FRACTION = 8, 0.01


OTHERS = np.dtype(
    [
        ("unit", np.int32),
        ("num_spikes", np.int64),
        ("num_others", np.int64),
        ("likeness", np.float64),
        ("amplitude", np.float64),
        ("amplitude_others", np.float64),
    ]
)
"""A unit with spikes of other neurons: numbers of spikes that were looked at, cosine of the means, mean amplitudes."""


class Border(NamedTuple):
    """What tells the spikes of a unit from those of others.

    Attributes
    ----------
    direction : (n_features,) float64
    offset : float
        Subtracted from the product of features and direction.
    curve : (3,) float64
        Coefficients of a parabola of that value, constant first; it is positive for spikes of others.
    record : structured scalar of dtype `OTHERS`
    """

    direction: NDArray[np.float64]
    offset: float
    curve: NDArray[np.float64]
    record: NDArray[np.void]


def find_border(
    projection: NDArray[np.float32],
    amplitude: NDArray[np.float64],
    unit: int,
    rows: NDArray[np.int64],
    n_spikes_min: int,
) -> Border | None:
    """Find the spikes that a unit's template took from other neurons.

    Parameters
    ----------
    projection : (n_spikes, n_slots, n_components) float32
    amplitude : (n_spikes,) float64
        Relative to the template; that of the spikes of others is smaller.
    unit : int
        Number of the unit, for the record.
    rows : (n,) int64
        Spikes of the unit, in order of time.
    n_spikes_min : int
        Minimum number of spikes of either group.

    Returns
    -------
    border : Border or None
        None if there is one group, or both have the same shape or take turns.
    """
    features = projection[rows].reshape(len(rows), -1).astype(np.float64)
    energy = (features.mean(axis=0).reshape(projection.shape[1:]) ** 2).sum(axis=1)
    reached = np.repeat(energy >= REACHED_FRACTION * energy.max(initial=0.0), projection.shape[2])
    features = features[:, reached]
    labels = cut_overlapping(principal_axes(features.astype(np.float32), n_dims_max=N_DIMS), n_spikes_min=n_spikes_min)
    if labels.max(initial=0) == 0:
        return None
    labels = _sharper(features, labels, n_spikes_min)
    if turn_taking(labels == 1) > TURN_TAKING_MAX:
        return None
    size = [float(amplitude[rows[labels == group]].mean()) for group in (0, 1)]
    others = labels == int(np.argmin(size))
    means = features[~others].mean(axis=0), features[others].mean(axis=0)
    likeness = float(means[0] @ means[1] / max(float(np.linalg.norm(means[0]) * np.linalg.norm(means[1])), 1e-12))
    if likeness > LIKENESS_MAX:
        return None
    direction, offset = _discriminant(features[~others], features[others])
    along = features @ direction - offset
    own, foreign = _parabola(along[~others]), _parabola(along[others])
    everywhere = np.zeros(len(reached))
    everywhere[reached] = direction
    record = np.array([(unit, len(rows), others.sum(), likeness, max(size), min(size))], OTHERS)
    return Border(everywhere, offset, foreign - own, record)


def cut_overlapping(points: NDArray[np.float32], *, n_spikes_min: int) -> NDArray[np.int32]:
    """Two normal distributions in place of one, if the Bayesian information criterion prefers them.

    Parameters
    ----------
    points : (n_points, n_dims) float32
        In order of decreasing variance: principal axes.
    n_spikes_min : int
        Minimum number of points of either group.

    Returns
    -------
    labels : (n_points,) int32
        0 for the larger group and 1 for the other; all 0 if one distribution is enough.

    Examples
    --------
    >>> import numpy as np
    >>> points = np.random.default_rng(0).standard_normal((600, 4)).astype("float32")
    >>> int(cut_overlapping(points, n_spikes_min=20).sum())
    0
    >>> points[:150, 0] += 5
    >>> bool(130 < cut_overlapping(points, n_spikes_min=20).sum() < 170)
    True
    """
    n_points, n_dims = points.shape
    labels = np.zeros(n_points, np.int32)
    n_parameters = n_dims + n_dims * (n_dims + 1) // 2
    if n_points < 2 * max(n_spikes_min, 2 * n_parameters):
        return labels
    given = np.ascontiguousarray(points.T, np.float64)
    added = VARIANCE_ADDED * float(given.var(axis=1).min())
    if not added > 0:
        return labels
    penalty = 0.5 * (n_parameters + 1) * math.log(n_points)
    some = np.ascontiguousarray(given[:, :: -(-n_points // N_POINTS_START)])
    n_some = some.shape[1]
    best, start = -np.inf, np.zeros(n_points, np.bool_)
    borders = np.quantile(given[:N_AXES], 1.0 - np.array(SHARES), axis=1)
    for axis, of_axis in enumerate(borders.T):
        for border in of_axis:
            likelihood, _ = _fit(some, _halves(some[axis] > border), added, N_ROUNDS_START)
            if likelihood > best:
                best, start = likelihood, given[axis] > border
    of_some = best - _fit(some, np.ones((1, n_some)), added, 1)[0]
    if of_some * n_points / n_some < HOPELESS * penalty:
        return labels
    together = _fit(given, np.ones((1, n_points)), added, 1)[0]
    apart, shares = _fit(given, _halves(start), added, N_ROUNDS)
    second = shares[1] > shares[0]
    gain = apart - together - penalty
    if gain < GAIN_MIN or min(second.sum(), n_points - second.sum()) < n_spikes_min:
        return labels
    smaller: NDArray[np.bool_] = second if 2 * int(second.sum()) <= n_points else np.logical_not(second)
    return smaller.astype(np.int32)


def _halves(second: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Shares of two groups in points that belong to one of them."""
    return np.stack([~second, second]).astype(np.float64)


def _sharper(features: NDArray[np.float64], labels: NDArray[np.int32], n_spikes_min: int) -> NDArray[np.int32]:
    """The labels that a discriminant on all features gives, each spike judged by one fitted without it."""
    fold = np.arange(len(features)) % N_FOLDS
    for _ in range(N_ROUNDS_SHARPER):
        along = np.zeros(len(features))
        for held_out in range(N_FOLDS):
            first, second = (features[(fold != held_out) & (labels == group)] for group in (0, 1))
            direction, offset = _discriminant(first, second)
            own = fold == held_out
            along[own] = features[own] @ direction - offset
        logs = [np.polynomial.polynomial.polyval(along, _parabola(along[labels == group])) for group in (0, 1)]
        sharper = (logs[1] > logs[0]).astype(np.int32)
        if min(sharper.sum(), len(sharper) - sharper.sum()) < n_spikes_min:
            break
        labels = sharper
    return labels


def _discriminant(first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Direction from the first group to the second that separates them best, and its value halfway."""
    means = first.mean(axis=0), second.mean(axis=0)
    centered = np.concatenate([first - means[0], second - means[1]])
    covariance = centered.T @ centered / len(centered)
    covariance += SHRINKAGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    direction = np.linalg.solve(covariance, means[1] - means[0])
    return direction, float((means[0] + means[1]) @ direction) / 2


def _parabola(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithm of a normal density times the number of values, less a constant: coefficients, constant first."""
    mean, variance = float(values.mean()), max(float(values.var()), 1e-18)
    constant = math.log(len(values)) - 0.5 * math.log(variance) - 0.5 * mean**2 / variance
    return np.array([constant, mean / variance, -0.5 / variance])


@njit(**INNER, fastmath={"reassoc", "contract"})
def _dot(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Inner product, with as many partial sums as the processor adds at once."""
    total = 0.0
    for i in range(first.size):
        total += first[i] * second[i]
    return total


@njit(**KERNEL, error_model="numpy")
def _fit(
    points: NDArray[np.float64], shares: NDArray[np.float64], added: float, n_rounds: int
) -> tuple[float, NDArray[np.float64]]:
    """Logarithm of the likelihood of one or two normal distributions, and the share of each in every point.

    Points are ``(dim, point)`` and shares ``(group, point)``, so that all loops run along points.
    """
    n_dims, n_points = points.shape
    n_groups = shares.shape[0]
    logs, total = empty((n_groups, n_points)), -np.inf
    centered, covariance, mean = np.empty_like(points), empty((n_dims, n_dims)), empty(n_dims)
    shares = shares.copy()
    for _ in range(n_rounds):
        before = total
        for group in range(n_groups):
            share, log = shares[group], logs[group]
            weight = 1e-9
            for i in range(n_points):
                weight += share[i]
            for d in range(n_dims):
                mean[d] = _dot(points[d], share) / weight
                for i in range(n_points):
                    centered[d, i] = points[d, i] - mean[d]
            for d in range(n_dims):
                for i in range(n_points):
                    log[i] = centered[d, i] * share[i]
                for other in range(d + 1):
                    covariance[d, other] = _dot(log, centered[other]) / weight
                covariance[d, d] += added
            size = 0.0
            for d in range(n_dims):  # Cholesky's factor, in place of the lower triangle
                for other in range(d + 1):
                    rest = covariance[d, other]
                    for before_both in range(other):
                        rest -= covariance[d, before_both] * covariance[other, before_both]
                    covariance[d, other] = rest / covariance[other, other] if other < d else math.sqrt(rest)
                size += math.log(covariance[d, d])
            constant = math.log(weight / n_points) - size - 0.5 * n_dims * math.log(2.0 * math.pi)
            for i in range(n_points):
                log[i] = constant
            for d in range(n_dims):
                white = centered[d]
                for other in range(d):
                    slope, known = covariance[d, other], centered[other]
                    for i in range(n_points):
                        white[i] -= slope * known[i]
                scale = 1.0 / covariance[d, d]
                for i in range(n_points):
                    white[i] *= scale
                    log[i] -= 0.5 * white[i] * white[i]
        total = 0.0
        for i in range(n_points):
            total += logs[0, i]
        if n_groups == 2:
            for i in range(n_points):
                gap = logs[1, i] - logs[0, i]
                smaller = math.exp(-abs(gap))
                total += max(gap, 0.0) + math.log(1.0 + smaller)
                larger = 1.0 / (1.0 + smaller)
                shares[0, i], shares[1, i] = larger, smaller * larger
                if gap > 0.0:
                    shares[0, i], shares[1, i] = smaller * larger, larger
        if total - before < GAIN_PER_ROUND_MIN:
            break
    return total, shares
