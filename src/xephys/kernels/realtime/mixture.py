"""Mixtures of normal distributions on a line, their number of components chosen by the Bayesian criterion."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import empty, full
from xephys.kernels.lib.inner import KERNEL

#: Rounds of expectation and maximization, and the change of the mean log likelihood at which they end earlier.
N_ROUNDS, TOLERANCE = 100, 1e-4


@njit(**KERNEL, error_model="numpy")
def _fit(values: NDArray[np.float64], n_components: int, floor: float) -> tuple[float, NDArray[np.float64]]:
    """Log likelihood, and responsibilities ``(value, component)``; starts from equal parts of the sorted values."""
    n = len(values)
    ordered = np.sort(values)
    mean = empty(n_components)
    spread = empty(n_components)
    weight = full(n_components, 1.0 / n_components)
    for k in range(n_components):
        part = ordered[k * n // n_components : (k + 1) * n // n_components]
        mean[k] = part.mean()
        spread[k] = max(part.std(), floor)
    likely = empty((n, n_components))
    total = -np.inf
    for _ in range(N_ROUNDS):
        before = total
        total = 0.0
        for i in range(n):
            highest = -np.inf
            for k in range(n_components):
                z = (values[i] - mean[k]) / spread[k]
                likely[i, k] = np.log(weight[k]) - np.log(spread[k]) - 0.5 * z * z
                highest = max(highest, likely[i, k])
            share = 0.0
            for k in range(n_components):
                likely[i, k] = np.exp(likely[i, k] - highest)
                share += likely[i, k]
            for k in range(n_components):
                likely[i, k] /= share
            total += highest + np.log(share) - 0.5 * np.log(2 * np.pi)
        for k in range(n_components):
            mass = 1e-12
            first = 0.0
            for i in range(n):
                mass += likely[i, k]
                first += likely[i, k] * values[i]
            mean[k] = first / mass
            second = 0.0
            for i in range(n):
                second += likely[i, k] * (values[i] - mean[k]) ** 2
            spread[k] = max(np.sqrt(second / mass), floor)
            weight[k] = max(mass / n, 1e-12)
        if total - before < TOLERANCE * n:
            break
    return total, likely


def mixture_labels(values: NDArray[np.floating], *, n_components_max: int, floor: float = 0.1) -> NDArray[np.int32]:
    """The component of each value in the mixture with the smallest Bayesian information criterion.

    Parameters
    ----------
    values : float (n,)
        Finite values.
    n_components_max : int
        Maximum number of components.
    floor : float
        Minimum standard deviation of a component: the precision of the values.

    Returns
    -------
    int32 (n,)
        0, 1, … in ascending order of the values' median; all 0 if one component is best.

    Examples
    --------
    >>> two = np.r_[np.linspace(-1, 1, 40), np.linspace(9, 11, 30)]
    >>> np.bincount(mixture_labels(two, n_components_max=4))
    array([40, 30])
    """
    exact: NDArray[np.float64] = np.ascontiguousarray(values, np.float64)
    best, labels = np.inf, np.zeros(len(values), np.int32)
    for n_components in range(1, n_components_max + 1):
        if len(values) < 4 * n_components:
            break
        likelihood, share = _fit(exact, n_components, floor)
        criterion = (3 * n_components - 1) * np.log(len(values)) - 2 * likelihood
        if criterion < best:
            best, labels = criterion, share.argmax(axis=1).astype(np.int32)
    used = np.unique(labels)
    middle = [np.median(values[labels == k]) for k in used]
    rank = np.argsort(np.argsort(middle, kind="stable"))
    return rank[np.searchsorted(used, labels)].astype(np.int32)
