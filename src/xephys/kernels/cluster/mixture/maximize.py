"""The M-step: mean and loadings of a unit from the sums of all neighborhoods on which its spikes were observed.

With features whitened by ``A`` on each neighborhood, the mean and the loadings together, ``L``, solve

    sum over neighborhoods of  A' (A L B - X)  +  prior  =  0,

where ``B`` are the moments and ``X`` the products of the E-step. A channel that some spikes lack is thus estimated from
the others, and noise correlations between channels are accounted for. Conjugate gradients from the previous values
solve it; every step raises the expected likelihood, so an early end does no harm.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import copy_values, full, zeros
from xephys.kernels.lib.inner import kernel

#: The prior counts as this number of spikes without mean, or without loadings.
PRIOR_OF_MEAN, PRIOR_OF_LOADINGS = 0.5, 5.0
#: Conjugate gradients end after this number of steps, or when the residual has shrunk to this share.
N_STEPS_MAX, RESIDUAL_MIN = 12, 1e-4


def maximize(
    loadings: NDArray[np.float64],
    units: NDArray[np.int64],
    pair_units: NDArray[np.int32],
    pair_neighborhoods: NDArray[np.int32],
    products: NDArray[np.float64],
    moments: NDArray[np.float64],
    entries: NDArray[np.int32],
    whiten: NDArray[np.float64],
    variance: NDArray[np.float64],
) -> NDArray[np.float64]:
    """New means and loadings of some units.

    Parameters
    ----------
    loadings : (n_units, n_features, 1 + rank) float64
        Values before the step.
    units : (n,) int64
        Units to be updated.
    pair_units, pair_neighborhoods : (n_pairs,) int32
    products, moments
        Of `Expected`, for all pairs.
    entries, whiten, variance
        Of `Neighborhoods`.

    Returns
    -------
    updated : (n, n_features, 1 + rank) float64

    Examples
    --------
    >>> from xephys.kernels.cluster.mixture.neighborhoods import find_neighborhoods
    >>> near, _ = find_neighborhoods(np.array([[0]], np.int32), 1.0, n_components=1)
    >>> zero, one = np.zeros(1, np.int32), np.ones((1, 1, 1))
    >>> new = maximize(0 * one, np.array([0]), zero, zero, 7.0 * one, 3 * one, near.entries, near.whiten, near.variance)
    >>> new.item()  # the sum, 7, of three spikes and half a spike of the prior
    2.0
    """
    updated = np.empty((len(units), *loadings.shape[1:]))
    order = np.argsort(pair_units, kind="stable")
    ends = np.searchsorted(pair_units[order], np.stack([units, units + 1]))
    for k, unit in enumerate(units):
        own = order[ends[0, k] : ends[1, k]]
        updated[k] = maximize_unit(
            loadings[unit], pair_neighborhoods[own], products[own], moments[own], entries, whiten, variance
        )
    return updated


@kernel
def maximize_unit(
    loadings: NDArray[np.float64],
    neighborhoods: NDArray[np.int32],
    products: NDArray[np.float64],
    moments: NDArray[np.float64],
    entries: NDArray[np.int32],
    whiten: NDArray[np.float64],
    variance: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The M-step of one unit; parameters as for `maximize`, of its own pairs. Features never observed become 0."""
    n_features, n_columns = loadings.shape
    n_entries = entries.shape[1]
    place = full(n_features, -1, np.int64)
    n_used = 0
    for s in neighborhoods:
        for e in range(n_entries):
            if entries[s, e] >= 0 and place[entries[s, e]] < 0:
                place[entries[s, e]] = 0
    for feature in range(n_features):
        if place[feature] == 0:
            place[feature] = n_used
            n_used += 1
    prior = full(n_columns, PRIOR_OF_LOADINGS)
    prior[0] = PRIOR_OF_MEAN
    current = zeros((n_used, n_columns))
    scale = np.ones(n_used)
    blocks = zeros((n_used, n_columns, n_columns))
    right = zeros((n_used, n_columns))
    for feature in range(n_features):
        if place[feature] >= 0:
            copy_values(loadings[feature], current[place[feature]])
            scale[place[feature]] = variance[feature]
    for k in range(len(neighborhoods)):
        s = neighborhoods[k]
        back = np.dot(whiten[s].T, products[k].T)
        for e in range(n_entries):
            if entries[s, e] >= 0:
                at = place[entries[s, e]]
                for c in range(n_columns):
                    right[at, c] += back[e, c]
                    for d in range(n_columns):
                        blocks[at, c, d] += moments[k, c, d]
    for at in range(n_used):
        for c in range(n_columns):
            blocks[at, c, c] += prior[c]
        inverse = np.linalg.inv(blocks[at]) * scale[at]
        for c in range(n_columns):
            copy_values(inverse[c], blocks[at, c])
    residual = right - _apply(current, neighborhoods, moments, entries, whiten, place, prior, scale)
    start = np.sum(right * right)
    search = np.zeros_like(current)
    before = 0.0
    for step in range(N_STEPS_MAX):
        if np.sum(residual * residual) <= RESIDUAL_MIN**2 * start:
            break
        steered = np.zeros_like(current)
        for at in range(n_used):
            for c in range(n_columns):
                for d in range(n_columns):
                    steered[at, c] += blocks[at, c, d] * residual[at, d]
        along = np.sum(residual * steered)
        search = steered + (along / before if step else 0.0) * search
        before = along
        image = _apply(search, neighborhoods, moments, entries, whiten, place, prior, scale)
        length = along / np.sum(search * image)
        current += length * search
        residual -= length * image
    updated = np.zeros_like(loadings)
    for feature in range(n_features):
        if place[feature] >= 0:
            copy_values(current[place[feature]], updated[feature])
    return updated


@kernel
def _apply(
    values: NDArray[np.float64],
    neighborhoods: NDArray[np.int32],
    moments: NDArray[np.float64],
    entries: NDArray[np.int32],
    whiten: NDArray[np.float64],
    place: NDArray[np.int64],
    prior: NDArray[np.float64],
    scale: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The left side of the equation of the M-step."""
    n_used, n_columns = values.shape
    n_entries = entries.shape[1]
    image = np.zeros_like(values)
    for at in range(n_used):
        for c in range(n_columns):
            image[at, c] = prior[c] * values[at, c] / scale[at]
    part = zeros((n_entries, n_columns))
    for k in range(len(neighborhoods)):
        s = neighborhoods[k]
        part[:] = 0.0
        for e in range(n_entries):
            if entries[s, e] >= 0:
                copy_values(values[place[entries[s, e]]], part[e])
        back = np.dot(whiten[s].T, np.dot(np.dot(whiten[s], part), moments[k]))
        for e in range(n_entries):
            if entries[s, e] >= 0:
                for c in range(n_columns):
                    image[place[entries[s, e]], c] += back[e, c]
    return image
