"""Test for a gap between two groups of spikes: a held-out discriminant, then a search for a valley along it.

A discriminant always separates the spikes on which it was fitted a little: in 50 dimensions, two halves of one Gaussian
of 100 spikes look like two units. The direction is therefore fitted on every other spike and judged on the rest, and
vice versa.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xephys.kernels.cluster.valley import deepest_valley
from xephys.kernels.lib.arrays import empty, zeros
from xephys.kernels.lib.inner import INNER, KERNEL

#: Minimum weight of the identity in the covariance of a discriminant.
SHRINKAGE = 0.05


@njit(**INNER, error_model="numpy")
def _add_fold(
    group: NDArray[np.float32],
    fold: int,
    share: float,
    mean: NDArray[np.float64],
    centered: NDArray[np.float64],
    covariance: NDArray[np.float64],
) -> None:
    """Mean of every other spike, and ``share`` of their covariance added to the lower triangle."""
    n_features = group.shape[1]
    n = 0
    for a in range(n_features):
        mean[a] = 0.0
    for i in range(fold, group.shape[0], 2):
        n += 1
        for a in range(n_features):
            mean[a] += group[i, a]
    for a in range(n_features):
        mean[a] /= n
    factor = share / max(n - 1, 1)
    for i in range(fold, group.shape[0], 2):
        for a in range(n_features):
            centered[a] = group[i, a] - mean[a]
        for a in range(n_features):
            scaled = factor * centered[a]
            for b in range(a + 1):
                covariance[a, b] += scaled * centered[b]


@njit(**INNER, error_model="numpy")
def _solve(matrix: NDArray[np.float64], values: NDArray[np.float64]) -> None:
    """Replace ``values`` by the solution; ``matrix`` is positive definite, its lower triangle becomes its factor."""
    n = len(values)
    for a in range(n):
        for b in range(a + 1):
            total = matrix[a, b]
            for k in range(b):
                total -= matrix[a, k] * matrix[b, k]
            matrix[a, b] = np.sqrt(total) if a == b else total / matrix[b, b]
    for a in range(n):
        for k in range(a):
            values[a] -= matrix[a, k] * values[k]
        values[a] /= matrix[a, a]
    for a in range(n - 1, -1, -1):
        for k in range(a + 1, n):
            values[a] -= matrix[k, a] * values[k]
        values[a] /= matrix[a, a]


@njit(**INNER, error_model="numpy")
def _direction(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    fold: int,
    shrinkage: float,
    vectors: NDArray[np.float64],
    covariance: NDArray[np.float64],
) -> tuple[float, float]:
    """Regularised Fisher direction of every other spike, in ``vectors[0]``, and the two means along it."""
    n_features = first.shape[1]
    n_first, n_second = (len(first) - fold + 1) // 2, (len(second) - fold + 1) // 2
    # Groups large enough to estimate their covariance get equal weight, whatever their size, because a large neighbor
    # must not hide a small unit. Smaller groups are weighted by the information they have.
    weight_first, weight_second = min(n_first - 1, 10 * n_features), min(n_second - 1, 10 * n_features)
    weights = max(weight_first + weight_second, 1)
    direction, mean_first, mean_second, centered = vectors[0], vectors[1], vectors[2], vectors[3]
    for a in range(n_features):
        for b in range(n_features):
            covariance[a, b] = 0.0
    _add_fold(first, fold, weight_first / weights, mean_first, centered, covariance)
    _add_fold(second, fold, weight_second / weights, mean_second, centered, covariance)
    size = 0.0
    for a in range(n_features):
        size += covariance[a, a]
    size /= n_features
    weight = min(0.9, shrinkage + n_features / (n_features + n_first + n_second))
    for a in range(n_features):
        direction[a] = mean_second[a] - mean_first[a]
        for b in range(a + 1):
            covariance[a, b] *= 1.0 - weight
        covariance[a, a] += weight * size + 1e-12
    _solve(covariance, direction)
    start, end = 0.0, 0.0
    for a in range(n_features):
        start += mean_first[a] * direction[a]
        end += mean_second[a] * direction[a]
    return start, end


@njit(**INNER, error_model="numpy")
def _project_fold(
    group: NDArray[np.float32],
    fold: int,
    direction: NDArray[np.float64],
    start: float,
    span: float,
    along: NDArray[np.float64],
) -> None:
    for i in range(fold, group.shape[0], 2):
        total = 0.0
        for a in range(group.shape[1]):
            total += group[i, a] * direction[a]
        along[i] = (total - start) / span


@njit(**KERNEL, error_model="numpy")
def _held_out(
    first: NDArray[np.float32], second: NDArray[np.float32], shrinkage: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    along_first, along_second = zeros(len(first)), zeros(len(second))
    vectors, covariance = empty((4, first.shape[1])), empty((first.shape[1], first.shape[1]))
    direction = vectors[0]
    for fold in range(2):
        start, end = _direction(first, second, fold, shrinkage, vectors, covariance)
        span = end - start
        if span > 0:
            _project_fold(first, 1 - fold, direction, start, span, along_first)
            _project_fold(second, 1 - fold, direction, start, span, along_second)
    return along_first, along_second


def held_out_projection(
    first: NDArray[np.float32], second: NDArray[np.float32], *, shrinkage: float = SHRINKAGE
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Project two groups of spikes on a discriminant fitted without the spikes projected.

    Parameters
    ----------
    first, second : (n_first, n_features), (n_second, n_features) float32
        At least two spikes each. Even spikes determine the direction for the odd ones, and vice versa.
    shrinkage : float
        Minimum weight of the identity in the covariance; more if there are few spikes for the number of features.

    Returns
    -------
    along_first, along_second : (n_first,), (n_second,) float64
        0 at the center of the fitting half's first group, 1 at the center of its second.

    Raises
    ------
    ValueError
        If a group has fewer than two spikes.
    """
    if len(first) < 2 or len(second) < 2:
        raise ValueError(
            f"The groups have {len(first)} and {len(second)} spikes: a held-out projection needs 2 in each."
        )
    found: tuple[NDArray[np.float64], NDArray[np.float64]] = _held_out(
        np.ascontiguousarray(first, np.float32), np.ascontiguousarray(second, np.float32), shrinkage
    )
    return found


@njit(**INNER, error_model="numpy")
def _select(values: NDArray[np.float64], place: int) -> float:
    """The value at a place of the sorted values, which are reordered: none before it is larger, none after it smaller.

    Hoare's selection. Others compile ten times longer.
    """
    low, high = 0, len(values) - 1
    while low < high:
        pivot, left, right = values[(low + high) // 2], low, high
        while left <= right:
            while values[left] < pivot:
                left += 1
            while values[right] > pivot:
                right -= 1
            if left <= right:
                values[left], values[right] = values[right], values[left]
                left += 1
                right -= 1
        if place <= right:
            high = right
        elif place >= left:
            low = left
        else:
            break
    return float(values[place])


@njit(**KERNEL, error_model="numpy")
def _median(values: NDArray[np.float64]) -> float:
    """Median of values, which are reordered."""
    half = len(values) // 2
    upper: float = _select(values, half)
    if len(values) % 2:
        return upper
    below = float(values[0])
    for i in range(1, half):
        below = max(below, values[i])
    return (below + upper) / 2


@njit(**KERNEL, error_model="numpy")
def gap_between(first: NDArray[np.float32], second: NDArray[np.float32]) -> tuple[float, float]:
    """As `bimodality`, of contiguous groups, without thinning them."""
    if len(first) < 4 or len(second) < 4:
        return 0.0, 1.0
    along_first, along_second = _held_out(first, second, SHRINKAGE)
    low, high = _median(along_first), _median(along_second)
    if not high > low:
        return 0.0, 1.0
    along, n_first = empty(len(along_first) + len(along_second)), len(along_first)
    for i in range(len(along)):
        along[i] = along_first[i] if i < n_first else along_second[i - n_first]
    found: tuple[float, float] = deepest_valley(along, low, high)
    return found


def bimodality(
    first: NDArray[np.float32], second: NDArray[np.float32], *, n_spikes_max: int = 20_000
) -> tuple[float, float]:
    """Depth of the gap between two groups of spikes along their held-out discriminant.

    Parameters
    ----------
    first, second : (n_first, n_features), (n_second, n_features) float32
    n_spikes_max : int
        Both groups are thinned evenly, by the same factor, so that the larger has at most this many spikes.

    Returns
    -------
    depth, ratio : float
        As `xephys.kernels.cluster.valley.valley_depth`. (0, 1) if a group has fewer than 4 spikes.

    Examples
    --------
    >>> import numpy as np
    >>> points = np.random.default_rng(0).standard_normal((600, 8)).astype("float32")
    >>> depth, _ = bimodality(points[:300], points[300:])
    >>> far, _ = bimodality(points[:300], points[300:] + 3)
    >>> depth < 3 < far
    True
    """
    stride = max(1, -(-max(len(first), len(second)) // n_spikes_max))
    # The same stride for both preserves their proportions, and thus the shape of the joint density. If only the larger
    # group were thinned, cutting one Gaussian in two would leave a step at the cut that looks like a gap.
    first, second = (np.ascontiguousarray(group[::stride], np.float32) for group in (first, second))
    depth, ratio = gap_between(first, second)
    return float(depth), float(ratio)


def separation(along_first: NDArray[np.float64], along_second: NDArray[np.float64]) -> float:
    """Distance between two groups along a line, in units of their own standard deviations.

    It is 2.65 for the halves of a Gaussian, 3.46 for those of a uniform distribution, and for two Gaussians far apart
    their distance in units of the noise (Ashman et al. 1994, *Astron. J.* 108, 2348).

    Examples
    --------
    >>> import numpy as np
    >>> line = np.linspace(0, 1, 1001)
    >>> round(separation(line[:500], line[500:]), 2)
    3.46
    """
    spread = max(np.sqrt((along_first.var() + along_second.var()) / 2), np.finfo(np.float64).tiny)
    return float((along_second.mean() - along_first.mean()) / spread)
