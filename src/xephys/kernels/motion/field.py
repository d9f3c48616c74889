"""Displacement of the local field potential: its likelihood under one covariance of registered depths.

Sources of the field keep their depths in the tissue. What contacts record is then Gaussian, with a covariance between
registered depths that does not change, seen through a probe that moves. The covariance is learned from samples that
have been registered, and samples are registered with it, in turn.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import copy_values, zeros
from xephys.kernels.lib.inner import kernel
from xephys.kernels.lib.interpolate.spline import spline_through

#: Number of samples that the mean over all depths of equal distance counts for, beside those seen at two depths.
_PRIOR_SAMPLES = 50.0
#: Minimum variance in any direction, as a fraction of the mean variance of a depth.
_FLOOR = 0.01


class FieldGrid(NamedTuple):
    """Registered depths, and what is seen of them at each displacement.

    Attributes
    ----------
    shifts_um
        Displacements, ``(shift,)``.
    first_seen
        The first registered depth seen at each, int64 ``(shift,)``.
    weights
        Interpolation from rows of contacts to the registered depths seen, ``(shift, row, seen)``.
    n_registered
        Number of registered depths.
    """

    shifts_um: NDArray[np.float64]
    first_seen: NDArray[np.int64]
    weights: NDArray[np.float64]
    n_registered: int


def field_grid(n_rows: int, *, row_um: float, disp_max_um: float, step_um: float) -> FieldGrid:
    """A grid of registered depths, one row of contacts apart, for displacements of up to ``disp_max_um`` to each side.

    Examples
    --------
    >>> grid = field_grid(12, row_um=20.0, disp_max_um=40.0, step_um=10.0)
    >>> grid.shifts_um.tolist(), grid.weights.shape
    ([-40.0, -30.0, -20.0, -10.0, 0.0, 10.0, 20.0, 30.0, 40.0], (9, 12, 11))
    """
    reach = int(np.ceil(disp_max_um / step_um))
    shifts = np.asarray(step_um * np.arange(-reach, reach + 1), np.float64)
    margin = int(np.ceil(shifts[-1] / row_um))
    rows = row_um * np.arange(n_rows)
    registered = row_um * np.arange(-margin, n_rows + margin)
    between = spline_through(rows, np.eye(n_rows))
    n_seen = n_rows - 1  # as many at a fraction of a row as elsewhere, so that likelihoods can be compared
    first = np.ceil(-shifts / row_um - 1e-9).astype(np.int64) + margin
    places = [registered[at : at + n_seen] + shift for at, shift in zip(first, shifts, strict=True)]
    weights = np.stack([between(np.clip(place, 0.0, rows[-1])).T for place in places])
    return FieldGrid(shifts, first, np.ascontiguousarray(weights), len(registered))


def registered_covariance(
    samples: NDArray[np.float32], place: NDArray[np.int64], grid: FieldGrid
) -> NDArray[np.float64]:
    """Covariance between registered depths, of samples at known displacements.

    Two depths that were seldom seen together get the mean covariance of all depths of that distance.

    Parameters
    ----------
    samples
        ``(time, row)``.
    place
        Index of each sample's displacement, ``(time,)``.
    grid
        From :func:`field_grid`.

    Returns
    -------
    ``(registered, registered)``.
    """
    n, n_seen = grid.n_registered, grid.weights.shape[2]
    total, count = np.zeros((n, n)), np.zeros((n, n))
    for shift in np.unique(place):
        seen = samples[place == shift].astype(np.float64) @ grid.weights[shift]
        own = slice(grid.first_seen[shift], grid.first_seen[shift] + n_seen)
        total[own, own] += seen.T @ seen
        count[own, own] += len(seen)
    apart = np.abs(np.arange(n)[:, None] - np.arange(n))
    sums, counts = (np.bincount(apart.ravel(), values.ravel()) for values in (total, count))
    typical = sums / np.maximum(counts, 1.0)
    return np.asarray((total + _PRIOR_SAMPLES * typical[apart]) / (count + _PRIOR_SAMPLES))


def log_likelihood(
    samples: NDArray[np.float32], covariance: NDArray[np.float64], grid: FieldGrid
) -> NDArray[np.float64]:
    """Logarithm of the likelihood of each displacement for each sample, ``(time, shift)``, up to a constant."""
    n_seen = grid.weights.shape[2]
    floor = _FLOOR * float(np.trace(covariance)) / len(covariance)
    values = samples.astype(np.float64)
    found = np.empty((len(samples), len(grid.shifts_um)))
    for shift, first in enumerate(grid.first_seen):
        own = slice(first, first + n_seen)
        variance, directions = np.linalg.eigh(covariance[own, own])
        variance = np.maximum(variance, floor)
        scores = values @ (grid.weights[shift] @ (directions / np.sqrt(variance)))
        found[:, shift] = -0.5 * (scores**2).sum(axis=1) - 0.5 * np.log(variance).sum()
    return found


@kernel
def best_course(likelihood: NDArray[np.float64], fall: float) -> NDArray[np.int64]:
    """The most probable sequence of displacements (Viterbi).

    Parameters
    ----------
    likelihood
        From :func:`log_likelihood`.
    fall
        Decrease of the logarithm of a transition's probability per step of displacement.

    Returns
    -------
    Index of the displacement of each sample, int64 ``(time,)``.

    Examples
    --------
    >>> likelihood = np.array([[0.0, -9.0], [-1.0, 0.0], [0.0, -9.0]])
    >>> best_course(likelihood, 2.0).tolist(), best_course(likelihood, 0.1).tolist()
    ([0, 0, 0], [0, 1, 0])
    """
    n_times, n_shifts = likelihood.shape
    came_from = zeros((n_times, n_shifts), np.int16)
    score, previous = zeros(n_shifts), zeros(n_shifts)
    source = zeros(n_shifts, np.int16)
    for t in range(n_times):
        if t > 0:
            # The best source of a displacement is its own, or that of a neighbor one step farther on.
            copy_values(score, previous)
            for k in range(n_shifts):
                source[k] = k
            for k in range(1, n_shifts):
                if previous[k - 1] - fall > previous[k]:
                    previous[k], source[k] = previous[k - 1] - fall, source[k - 1]
            for k in range(n_shifts - 2, -1, -1):
                if previous[k + 1] - fall > previous[k]:
                    previous[k], source[k] = previous[k + 1] - fall, source[k + 1]
            copy_values(source, came_from[t])
            copy_values(previous, score)
        highest = -np.inf
        for k in range(n_shifts):
            score[k] += likelihood[t, k]
            highest = max(highest, score[k])
        for k in range(n_shifts):
            score[k] -= highest
    course = zeros(n_times, np.int64)
    if n_times == 0:
        return course
    course[-1] = np.argmax(score)
    for t in range(n_times - 1, 0, -1):
        course[t - 1] = came_from[t, course[t]]
    return course
