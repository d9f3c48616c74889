"""Neighborhoods: the sets of channels on which spikes are observed, and the whitening of features on each of them.

The noise covariance of a set of channels is the part of the probe's covariance that belongs to them. Its factor is
computed once per neighborhood; after whitening, noise is independent with variance 1 on every one of them.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import zeros
from xephys.kernels.lib.inner import kernel

#: Spikes of one neighborhood beyond this number form another cell, so that the cells of a tetrode are many.
CELL_ROWS = 32_768


class Neighborhoods(NamedTuple):
    """Distinct sets of channels, with whitening.

    Attributes
    ----------
    channels : (n_neighborhoods, n_slots) int32
        Channels of the slots, -1 where there is none.
    entries : (n_neighborhoods, n_slots * n_components) int32
        Places of the features of these slots among ``n_channels * n_components``; -1 where there is none.
    whiten : (n_neighborhoods, n_entries, n_entries) float64
        Inverse of the lower Cholesky factor of the noise covariance; 0 for slots without a channel.
    variance : (n_channels * n_components,) float64
        Noise variance of each feature of the probe.
    """

    channels: NDArray[np.int32]
    entries: NDArray[np.int32]
    whiten: NDArray[np.float64]
    variance: NDArray[np.float64]


class Rows(NamedTuple):
    """Spikes, sorted by neighborhood, for one fit.

    Attributes
    ----------
    whitened : (n_rows, n_entries) float32
    neighborhood : (n_rows,) int32
        Ascending.
    held_out : (n_rows,) bool
        Spikes that decide and are not fitted.
    cells : (n_cells, 3) int64
        Runs of rows of one neighborhood: its number, first row, and the row after the last.
    """

    whitened: NDArray[np.float32]
    neighborhood: NDArray[np.int32]
    held_out: NDArray[np.bool_]
    cells: NDArray[np.int64]


def find_neighborhoods(
    neighbors: NDArray[np.int32], covariance: NDArray[np.float64] | float, *, n_components: int
) -> tuple[Neighborhoods, NDArray[np.int32]]:
    """The distinct rows of a table of neighbors with the whitening of each, and the neighborhood of each row.

    Parameters
    ----------
    neighbors : (n_rows, n_slots) int32
        Padded with -1.
    covariance : float or (n_channels, n_components, n_channels, n_components) float64
        Variance of all features if they are independent, or the covariance of all features of the probe.
    n_components : int

    Returns
    -------
    neighborhoods : Neighborhoods
    neighborhood_of_row : (n_rows,) int32

    Raises
    ------
    LinAlgError
        If the covariance of a neighborhood is not positive definite.

    Examples
    --------
    >>> table = np.array([[0, 1], [0, 1], [1, -1]], np.int32)
    >>> found, of_row = find_neighborhoods(table, 4.0, n_components=1)
    >>> of_row.tolist(), found.whiten[1].tolist(), found.entries[1].tolist()
    ([0, 0, 1], [[0.5, 0.0], [0.0, 0.0]], [1, -1])
    """
    channels, of_row = np.unique(neighbors, axis=0, return_inverse=True)
    n_sets, n_slots = channels.shape
    n_entries = n_slots * n_components
    inside = channels >= 0
    entries = np.where(inside[:, :, None], channels[:, :, None] * n_components + np.arange(n_components), -1).reshape(
        n_sets, n_entries
    )
    used = entries >= 0
    whiten = np.zeros((n_sets, n_entries, n_entries))
    if np.ndim(covariance) == 0:
        variance = np.full((int(channels.max(initial=-1)) + 1) * n_components, float(covariance))
        diagonal = np.arange(n_entries)
        whiten[:, diagonal, diagonal] = used / np.sqrt(float(covariance))
    else:
        size = covariance.shape[0] * n_components  # type: ignore[union-attr]
        flat = np.ascontiguousarray(covariance, np.float64).reshape(size, size)
        variance = np.diag(flat).copy()
        for s in range(n_sets):
            own = np.flatnonzero(used[s])
            factor = np.linalg.cholesky(flat[np.ix_(entries[s, own], entries[s, own])])
            whiten[s][np.ix_(own, own)] = np.linalg.solve(factor, np.eye(len(own)))
    found = Neighborhoods(channels.astype(np.int32), entries.astype(np.int32), whiten, variance)
    return found, of_row.reshape(-1).astype(np.int32)


@kernel
def whiten_features(
    features: NDArray[Any],
    rows: NDArray[np.int64],
    neighborhood: NDArray[np.int32],
    whiten: NDArray[np.float64],
    entries: NDArray[np.int32],
) -> NDArray[np.float32]:
    """White features of some spikes.

    Parameters
    ----------
    features : (n_spikes, n_slots, n_components) float
        Values in slots without a channel are ignored, NaN among them.
    rows : (n_rows,) int64
        Spikes that are taken.
    neighborhood : (n_rows,) int32
        Of each of these.
    whiten : (n_neighborhoods, n_entries, n_entries) float64
    entries : (n_neighborhoods, n_entries) int32

    Returns
    -------
    whitened : (n_rows, n_entries) float32

    Examples
    --------
    >>> found, _ = find_neighborhoods(np.array([[0]], np.int32), 4.0, n_components=2)
    >>> whiten_features(np.array([[[2.0, 6.0]]]), np.array([0]), np.array([0], np.int32), found.whiten, found.entries)
    array([[1., 3.]], dtype=float32)
    """
    n_components = features.shape[2]
    n_entries = whiten.shape[1]
    out = zeros((len(rows), n_entries), np.float32)
    raw = zeros(n_entries)
    # Of independent features, each depends on itself alone.
    first = zeros(whiten.shape[:2], np.int64)
    for s in range(len(whiten)):
        for e in range(n_entries):
            while first[s, e] < e and whiten[s, e, first[s, e]] == 0:
                first[s, e] += 1
    for i in range(len(rows)):
        s = neighborhood[i]
        for e in range(n_entries):
            raw[e] = features[rows[i], e // n_components, e % n_components] if entries[s, e] >= 0 else 0.0
        for e in range(n_entries):
            if entries[s, e] < 0:
                continue
            total = 0.0
            for f in range(first[s, e], e + 1):
                total += whiten[s, e, f] * raw[f]
            out[i, e] = total
    return out


def cells_of(neighborhood: NDArray[np.int32]) -> NDArray[np.int64]:
    """Runs of at most ``CELL_ROWS`` rows of one neighborhood, which depend on the rows alone.

    Examples
    --------
    >>> cells_of(np.array([0, 0, 2], np.int32)).tolist()
    [[0, 0, 2], [2, 2, 3]]
    """
    found = []
    borders = np.flatnonzero(np.diff(neighborhood, prepend=-1, append=-1)).tolist()
    for start, stop in pairwise(borders):
        for first in range(start, stop, CELL_ROWS):
            found.append((int(neighborhood[start]), first, min(first + CELL_ROWS, stop)))
    return np.array(found, np.int64).reshape(-1, 3)
