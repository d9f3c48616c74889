"""Position and size of each spike, from its projections on the channels around its template."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Number of spikes at a time, which bounds the memory of the intermediate arrays.
_BATCH = 50_000


def place_spikes(
    projection: NDArray[np.float32],
    channels: NDArray[np.int64],
    neighbors: NDArray[np.int32],
    *,
    positions: NDArray[np.float64],
    n_nearest: int,
    limit_um: float,
    good: NDArray[np.bool_],
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Center of mass of each spike's features, and their norm.

    Parameters
    ----------
    projection : (spike, slot, component) float32
    channels : (spike,) int64
        Peak channel of each spike's template.
    neighbors : (channel, slot) int32
        Channels of the slots, padded with -1.
    positions : (channel, 2) float64
        µm.
    n_nearest : int
        Number of channels used, nearest to the peak channel first.
    limit_um : float
        For the position, channels farther than this from the peak channel are left out.
    good : (channel,) bool
        False for channels to ignore.

    Returns
    -------
    centers : (spike, 2) float64
        Position of the peak channel for a spike without features.
    norms : (spike,) float32

    Examples
    --------
    >>> projection = np.array([[[3.0, 4.0], [0, 5]]], np.float32)
    >>> centers, norms = place_spikes(projection, np.array([0]), np.array([[0, 1], [0, 1]]),
    ...     positions=np.array([[0, 0], [0, 20.0]]), n_nearest=2, limit_um=100.0, good=np.ones(2, bool))
    >>> centers.tolist(), norms.round(2).tolist()
    ([[0.0, 10.0]], [7.070000171661377])
    """
    counted, near = _counted_slots(neighbors, positions, n_nearest=n_nearest, limit_um=limit_um, good=good)
    centers, norms = np.zeros((len(channels), 2)), np.zeros(len(channels), np.float32)
    for first in range(0, len(channels), _BATCH):
        rows = slice(first, first + _BATCH)
        own = channels[rows]
        squares = (projection[rows].astype(np.float64) ** 2).sum(axis=2) * counted[own]
        norms[rows] = np.sqrt(squares.sum(axis=1))
        weights = np.sqrt(squares) * near[own]
        total = weights.sum(axis=1, keepdims=True)
        places = np.einsum("sk,skd->sd", weights, positions[np.maximum(neighbors[own], 0)])
        centers[rows] = np.where(total > 0, places / np.maximum(total, 1e-12), positions[own])
    return centers, norms


def _counted_slots(
    neighbors: NDArray[np.int32],
    positions: NDArray[np.float64],
    *,
    n_nearest: int,
    limit_um: float,
    good: NDArray[np.bool_],
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Slots of each channel that are used at all, and those used for the position."""
    distance = np.linalg.norm(positions[np.maximum(neighbors, 0)] - positions[:, None], axis=2).round(3)
    distance[(neighbors < 0) | ~good[np.maximum(neighbors, 0)]] = np.inf
    rank = np.argsort(np.argsort(distance, axis=1, kind="stable"), axis=1, kind="stable")
    counted = (rank < n_nearest) & np.isfinite(distance)
    return counted, counted & (distance <= limit_um)


def features_on(
    projection: NDArray[np.float32],
    channels: NDArray[np.int64],
    units: NDArray[np.int64],
    neighbors: NDArray[np.int32],
    wanted: NDArray[np.int32],
) -> NDArray[np.float32]:
    """Features of spikes on the channels of their units, 0 if not measured.

    Parameters
    ----------
    projection : (spike, slot, component) float32
    channels, units : (spike,) int64
        Peak channel of each spike's template, and its unit.
    neighbors : (channel, slot) int32
        Channels of the slots.
    wanted : (unit, k) int32
        Channels of each unit.

    Returns
    -------
    (spike, k, component) float32

    Examples
    --------
    >>> projection = np.array([[[1.0], [2.0]]], np.float32)
    >>> zero = np.zeros(1, np.int64)
    >>> features_on(projection, zero, zero, np.array([[3, 5]]), np.array([[5, 7]])).ravel().tolist()
    [2.0, 0.0]
    """
    out = np.zeros((len(units), wanted.shape[1], projection.shape[2]), np.float32)
    pairs, which = np.unique(np.stack([channels, units], axis=1), axis=0, return_inverse=True)
    order = np.argsort(which.ravel(), kind="stable")
    bounds = np.searchsorted(which.ravel()[order], np.arange(len(pairs) + 1))
    for number, (channel, unit) in enumerate(pairs.tolist()):
        rows = order[bounds[number] : bounds[number + 1]]
        for k, target in enumerate(wanted[unit].tolist()):
            slot = np.flatnonzero(neighbors[channel] == target)
            if target >= 0 and slot.size:
                out[rows, k] = projection[rows, slot[0]]
    return out
