"""What a mixture is fitted to, checked: features, the channels of their slots, start labels and noise."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ParameterError
from ...recording.geometry import nearest_channels

#: Spikes whose values are checked at once, which bounds the memory of the check.
_ROWS = 65_536


def table_of_neighbors(
    neighbors: NDArray[np.integer[Any]] | None,
    positions: NDArray[np.floating[Any]] | None,
    features: NDArray[np.floating[Any]],
) -> NDArray[np.int32]:
    """The channels of the slots of each row, int32 and padded with -1, given or from positions.

    Raises
    ------
    ParameterError
        If the features are not ``(spike, slot, component)``, both or neither of the tables are given, or they do not
        fit.

    Examples
    --------
    >>> table_of_neighbors(None, np.array([[0.0, 0], [0, 20], [0, 40]]), np.zeros((5, 2, 3))).tolist()
    [[0, 1], [0, 1], [1, 2]]
    """
    if features.ndim != 3 or 0 in features.shape[1:]:
        raise ParameterError(f"features have the shape {features.shape}; give (spike, slot, component)")
    if (neighbors is None) == (positions is None):
        raise ParameterError("give either neighbors, the channels of the slots, or positions of the channels")
    n_slots = features.shape[1]
    if positions is not None:
        places = np.asarray(positions, np.float64)
        if places.ndim != 2 or places.shape[1] not in (2, 3) or not np.isfinite(places).all():
            raise ParameterError(f"positions have the shape {places.shape}; give finite numbers (channel, 2) in um")
        if len(places) < n_slots:
            raise ParameterError(f"features have {n_slots} slots, but there are only {len(places)} positions")
        return nearest_channels(places, n_nearest=n_slots)
    table = np.asarray(neighbors)
    if table.ndim != 2 or table.shape[1] != n_slots or table.dtype.kind not in "iu":
        raise ParameterError(
            f"neighbors are {table.dtype} {table.shape}; for features with {n_slots} slots, give integers "
            f"(row, {n_slots})"
        )
    if table.min(initial=-1) < -1:
        raise ParameterError(f"neighbors contain {table.min()}; pad missing channels with -1")
    ordered = np.sort(table, axis=1)
    if ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any():
        raise ParameterError("a row of neighbors contains a channel twice; give each slot a channel of its own")
    return np.ascontiguousarray(table, np.int32)


def noise_of(
    noise: float | NDArray[np.floating[Any]], table: NDArray[np.int32], *, n_components: int
) -> NDArray[np.float64]:
    """The noise variance, without dimensions, or the covariance ``(channel, component, channel, component)``.

    Raises
    ------
    ParameterError
        If it is not positive, not symmetric, not finite, or does not fit the channels and components.

    Examples
    --------
    >>> noise_of(3.0, np.zeros((1, 1), np.int32), n_components=2)
    array(9.)
    """
    given = np.asarray(noise, np.float64)
    if given.ndim == 0:
        if not (np.isfinite(given) and given > 0):
            raise ParameterError(f"noise is {noise!r}; it must be greater than 0")
        return np.array(given**2)
    n_channels = int(table.max(initial=-1)) + 1
    if given.ndim != 4 or given.shape[:2] != given.shape[2:] or given.shape[1] != n_components:
        raise ParameterError(
            f"noise has the shape {given.shape}; give one number or (channel, {n_components}, channel, {n_components})"
        )
    if len(given) < n_channels:
        raise ParameterError(f"noise is given for {len(given)} channels, but neighbors name channel {n_channels - 1}")
    size = len(given) * n_components
    matrix = given.reshape(size, size)
    if not np.isfinite(matrix).all() or not np.allclose(matrix, matrix.T, rtol=1e-5, atol=1e-8 * np.abs(matrix).max()):
        raise ParameterError("the covariance of the noise is not symmetric and finite; estimate it from noise alone")
    return given


def check_spikes(
    features: NDArray[np.floating[Any]], channels: NDArray[np.integer[Any]], table: NDArray[np.int32]
) -> NDArray[np.int64]:
    """The channels as int64, after checking that every spike has one of the table and finite features on its slots.

    Raises
    ------
    ParameterError
        With the first spike that breaks a rule.

    Examples
    --------
    >>> check_spikes(np.array([[[0.0], [np.nan]]]), np.array([0]), np.array([[0, -1]]))
    array([0])
    """
    rows = np.asarray(channels)
    if rows.shape != (len(features),) or rows.dtype.kind not in "iu":
        raise ParameterError(
            f"channels are {rows.dtype} {rows.shape}; give one integer for each of the {len(features)} spikes"
        )
    if len(rows) and not (rows.min() >= 0 and rows.max() < len(table)):
        raise ParameterError(f"channels are {rows.min()} to {rows.max()}; neighbors have rows 0 to {len(table) - 1}")
    missing = table < 0
    for first in range(0, len(rows), _ROWS):
        part = slice(first, first + _ROWS)
        bad = ~np.isfinite(features[part]) & ~missing[rows[part]][:, :, None]
        if bad.any():
            spike = first + int(np.flatnonzero(bad.any(axis=(1, 2)))[0])
            raise ParameterError(
                f"the features of spike {spike} are not finite; only slots without a channel may be NaN: drop such "
                "spikes, or mark the missing channels with -1 in neighbors"
            )
    return rows.astype(np.int64)


def start_labels(labels: NDArray[np.integer[Any]], *, n_spikes: int, n_spikes_min: int) -> NDArray[np.int32]:
    """Start labels without gaps, -1 for spikes of labels with too few spikes.

    Raises
    ------
    ParameterError
        If there is not one integer per spike, or no label has enough spikes.

    Examples
    --------
    >>> start_labels(np.array([7, 7, 3, -1]), n_spikes=4, n_spikes_min=2).tolist()
    [0, 0, -1, -1]
    """
    given = np.asarray(labels)
    if given.shape != (n_spikes,) or given.dtype.kind not in "iu":
        raise ParameterError(
            f"labels are {given.dtype} {given.shape}; give one integer for each of the {n_spikes} spikes"
        )
    names, number, counts = np.unique(given, return_inverse=True, return_counts=True)
    kept = (names >= 0) & (counts >= n_spikes_min)
    if not kept.any():
        raise ParameterError(
            f"no label has {n_spikes_min} spikes (n_spikes_min); the most frequent of {int((names >= 0).sum())} has "
            f"{int(counts[names >= 0].max(initial=0))}"
        )
    return np.where(kept, np.cumsum(kept) - 1, -1).astype(np.int32)[number.reshape(-1)]
