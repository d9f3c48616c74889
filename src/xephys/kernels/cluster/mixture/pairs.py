"""Units as they are seen on each neighborhood: only pairs that can occur are stored."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.cluster.mixture.neighborhoods import Neighborhoods
from xephys.kernels.lib.arrays import copy_values, zeros
from xephys.kernels.lib.inner import kernel

#: A unit can appear on a neighborhood that holds at least this share of its energy, or of its spikes.
ENERGY_SHARE_MIN, SPIKE_SHARE_MIN = 0.5, 0.005
#: Spikes that a unit has on each of its neighborhoods before any is counted.
PLACE_PRIOR = 0.5


class Pairs(NamedTuple):
    """Pairs of neighborhood and unit, ordered by neighborhood.

    Attributes
    ----------
    starts : (n_neighborhoods + 1,) int64
        First pair of each neighborhood.
    units : (n_pairs,) int32
        Ascending within a neighborhood.
    table : (n_neighborhoods, n_units) int32
        Number of a pair within its neighborhood, or -1.
    """

    starts: NDArray[np.int64]
    units: NDArray[np.int32]
    table: NDArray[np.int32]


class Projected(NamedTuple):
    """Means and loadings of the pairs, whitened, with what the likelihood needs of them.

    Attributes
    ----------
    directions : (n_pairs, 1 + rank, n_entries) float32
        The mean, then the loadings.
    constant : (n_pairs,) float64
        Half of the squared norm of the mean plus half of the log determinant of ``1 + V'V``.
    shift : (n_pairs, rank) float64
        Products of loadings and mean, ``V'm``.
    posterior : (n_pairs, rank, rank) float64
        Covariance of the factors given a spike, ``(1 + V'V)^-1``.
    """

    directions: NDArray[np.float32]
    constant: NDArray[np.float64]
    shift: NDArray[np.float64]
    posterior: NDArray[np.float64]


def pairs_of(possible: NDArray[np.bool_]) -> Pairs:
    """Pairs from the table of which unit can appear on which neighborhood.

    Parameters
    ----------
    possible : (n_neighborhoods, n_units) bool

    Examples
    --------
    >>> pairs = pairs_of(np.array([[True, False], [True, True]]))
    >>> pairs.starts.tolist(), pairs.units.tolist(), pairs.table.tolist()
    ([0, 1, 3], [0, 0, 1], [[0, -1], [0, 1]])
    """
    starts = np.concatenate([[0], np.cumsum(possible.sum(axis=1))]).astype(np.int64)
    table = np.where(possible, np.cumsum(possible, axis=1) - 1, -1).astype(np.int32)
    return Pairs(starts, np.nonzero(possible)[1].astype(np.int32), table)


def possible_pairs(
    loadings: NDArray[np.float64], counts: NDArray[np.float64], neighborhoods: Neighborhoods
) -> NDArray[np.bool_]:
    """Which unit can appear on which neighborhood.

    Parameters
    ----------
    loadings : (n_units, n_channels * n_components, 1 + rank) float64
        The mean first.
    counts : (n_neighborhoods, n_units) float64
        Spikes of the units on the neighborhoods.
    neighborhoods : Neighborhoods

    Returns
    -------
    possible : (n_neighborhoods, n_units) bool
        On neighborhoods with at least half of the unit's energy, or 0.5 % of its spikes.

    Examples
    --------
    >>> from xephys.kernels.cluster.mixture.neighborhoods import find_neighborhoods
    >>> near, _ = find_neighborhoods(np.array([[0], [1]], np.int32), 1.0, n_components=1)
    >>> possible_pairs(np.array([[[3.0], [1.0]]]), np.zeros((2, 1)), near).tolist()
    [[True], [False]]
    """
    energy = loadings[:, :, 0] ** 2 / neighborhoods.variance
    energy = np.concatenate([energy, np.zeros((len(energy), 1))], axis=1)
    inside = np.stack([energy[:, entries].sum(axis=1) for entries in neighborhoods.entries])
    frequent = counts > np.maximum(SPIKE_SHARE_MIN * counts.sum(axis=0), 0.5)
    possible: NDArray[np.bool_] = (inside > ENERGY_SHARE_MIN * energy.sum(axis=1)) | frequent
    return possible


def log_places(
    counts: NDArray[np.float64], possible: NDArray[np.bool_], log_shares: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Log probability of each neighborhood for the spikes of a unit, relative to that for all spikes.

    Parameters
    ----------
    counts : (n_neighborhoods, n_units) float64
        Spikes of the units on the neighborhoods.
    possible : (n_neighborhoods, n_units) bool
        Where a unit can appear; it counts as half a spike.
    log_shares : (n_neighborhoods,) float64
        Log share of all spikes.

    Returns
    -------
    places : (n_neighborhoods, n_units) float64
        Minus infinity where a unit cannot appear.

    Examples
    --------
    >>> here, shares = np.array([[True], [False]]), np.log([0.5, 0.5])
    >>> np.exp(log_places(np.array([[3.0], [1.0]]), here, shares)).tolist()
    [[2.0], [0.0]]
    """
    smoothed = np.where(possible, counts + PLACE_PRIOR, 0.0)
    with np.errstate(divide="ignore"):
        places: NDArray[np.float64] = np.log(smoothed / smoothed.sum(axis=0)) - log_shares[:, None]
    return places


@kernel
def project_units(
    loadings: NDArray[np.float64],
    starts: NDArray[np.int64],
    units: NDArray[np.int32],
    entries: NDArray[np.int32],
    whiten: NDArray[np.float64],
) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The fields of `Projected` for all pairs.

    Parameters
    ----------
    loadings : (n_units, n_channels * n_components, 1 + rank) float64
    starts, units
        Of `Pairs`.
    entries, whiten
        Of `Neighborhoods`.

    Examples
    --------
    >>> from xephys.kernels.cluster.mixture.neighborhoods import find_neighborhoods
    >>> near, _ = find_neighborhoods(np.array([[0]], np.int32), 4.0, n_components=1)
    >>> pairs = pairs_of(np.array([[True]]))
    >>> seen = Projected(*project_units(np.array([[[6.0, 2.0]]]), pairs.starts, pairs.units, near.entries, near.whiten))
    >>> seen.directions.tolist(), seen.shift.tolist(), seen.posterior.tolist()
    ([[[3.0], [1.0]]], [[3.0]], [[[0.5]]])
    """
    n_pairs, n_columns, n_entries = len(units), loadings.shape[2], entries.shape[1]
    rank = n_columns - 1
    directions = zeros((n_pairs, n_columns, n_entries), np.float32)
    constant = zeros(n_pairs)
    shift = zeros((n_pairs, rank))
    posterior = zeros((n_pairs, rank, rank))
    raw = zeros((n_columns, n_entries))
    for s in range(len(starts) - 1):
        for pair in range(starts[s], starts[s + 1]):
            for e in range(n_entries):
                place = entries[s, e]
                for c in range(n_columns):
                    raw[c, e] = loadings[units[pair], place, c] if place >= 0 else 0.0
            white = np.ascontiguousarray(np.dot(whiten[s], raw.T).T)
            for c in range(n_columns):
                copy_values(white[c], directions[pair, c])
            gram = np.eye(rank)
            squared = 0.0
            for e in range(n_entries):
                squared += white[0, e] * white[0, e]
                for a in range(rank):
                    shift[pair, a] += white[1 + a, e] * white[0, e]
                    for b in range(rank):
                        gram[a, b] += white[1 + a, e] * white[1 + b, e]
            half_log_determinant = 0.0
            if rank:
                factor = np.linalg.cholesky(gram)
                for a in range(rank):
                    half_log_determinant += np.log(factor[a, a])
                inverse = np.linalg.inv(gram)
                for a in range(rank):
                    copy_values(inverse[a], posterior[pair, a])
            constant[pair] = 0.5 * squared + half_log_determinant
    return directions, constant, shift, posterior
