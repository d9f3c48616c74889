"""Expected footprints of sources on a grid around the probe, and how well a spike matches them.

The footprints are sparse: few channels see a source, and an event is scored only against the grid points near its
channel. A dense table for a 384-channel probe would take 200 MB; this one takes less than 10 MB.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import empty, full
from xephys.kernels.lib.footprints import exponential_footprints
from xephys.kernels.lib.inner import KERNEL, helper


def grid_footprints(
    positions: NDArray[np.float64],
    *,
    radius_um: float = 40.0,
    spacing_um: float = 5.0,
    margin_um: float = 50.0,
    depths_um: NDArray[np.float64] | None = None,
    decay_um: float = 2.5,
) -> dict[str, NDArray[np.generic]]:
    """Expected footprints of sources on a grid around the probe, as tables for `localize_grid_convolution`.

    A source at distance d (in three dimensions) has weight ``exp(-d / decay_um)`` on a channel. Weights are scaled to
    unit norm, those below ``0.5 / sqrt(channels)`` are dropped, and the rest are scaled to unit norm again.

    Parameters
    ----------
    positions : float64 (channel, 2)
        Contact positions, µm.
    radius_um : float
        Grid points within this distance of a channel are scored for its events.
    spacing_um, margin_um : float
        Spacing of the grid, and how far it reaches beyond the contacts.
    depths_um : float64 (depth,), optional
        Distances from the contact plane; 0, 30, 60, 90 and 120 by default.
    decay_um : float
        Decay of the weights.

    Returns
    -------
    dict of ndarray
        The table arguments of `localize_grid_convolution`, by name. Grid points that are near no channel are left out.

    Examples
    --------
    >>> tables = grid_footprints(np.array([[0.0, 0.0], [0.0, 20.0]]))
    >>> tables["grid_depths_um"].tolist()
    [0.0, 30.0, 60.0, 90.0, 120.0]
    """
    depths = np.linspace(0.0, 120.0, 5) if depths_um is None else np.asarray(depths_um, dtype=np.float64)
    low, high = positions.min(axis=0) - margin_um, positions.max(axis=0) + margin_um
    # A tenth of the spacing keeps the last point if the range is a multiple of the spacing.
    x, y = (np.arange(a, b + spacing_um / 10, spacing_um) for a, b in zip(low, high, strict=True))
    grid = np.stack([g.ravel() for g in np.meshgrid(x, y)], axis=1)

    grid_parts, near_parts, entries = [], [], []
    n_points = 0
    # Blocks of points bound the memory to a few MB on any probe.
    for block in np.array_split(grid, max(1, len(grid) // 1024)):
        distances = np.linalg.norm(positions[:, np.newaxis] - block, axis=2)
        used = (distances <= radius_um).any(axis=0)
        block, distances = block[used], distances[:, used]
        near_channel, near_point = np.nonzero(distances <= radius_um)
        near_parts.append(np.stack([near_channel, near_point + n_points], axis=1))
        grid_parts.append(block)
        weights = exponential_footprints(distances, depths_um=depths, decay_um=decay_um)
        point, depth, channel = np.nonzero(weights)
        row = (point + n_points) * depths.size + depth
        entries.append((row, channel, weights[point, depth, channel]))
        n_points += len(block)

    near = np.concatenate(near_parts)
    near = near[np.argsort(near[:, 0], kind="stable")]
    rows, footprint_channels, footprint_weights = (np.concatenate(e) for e in zip(*entries, strict=True))
    return {
        "grid_positions": np.concatenate(grid_parts),
        "grid_depths_um": depths,
        "near_offsets": np.searchsorted(near[:, 0], np.arange(len(positions) + 1)).astype(np.int64),
        "near_points": near[:, 1].astype(np.int32),
        "footprint_offsets": np.searchsorted(rows, np.arange(n_points * depths.size + 1)).astype(np.int64),
        "footprint_channels": footprint_channels.astype(np.int32),
        "footprint_weights": footprint_weights.astype(np.float32),
    }


@njit(**KERNEL, error_model="numpy")
def average_best_points(
    traces: NDArray[np.float32],
    first_rows: NDArray[np.int64],
    channels: NDArray[np.int64],
    positions: NDArray[np.float64],
    prototype: NDArray[np.float32],
    grid_positions: NDArray[np.float64],
    grid_depths_um: NDArray[np.float64],
    near_offsets: NDArray[np.int64],
    near_points: NDArray[np.int32],
    footprint_offsets: NDArray[np.int64],
    footprint_channels: NDArray[np.int32],
    footprint_weights: NDArray[np.float32],
    quantile: float,
) -> NDArray[np.float64]:
    """Mean position (x, y, z) of the grid points whose scores reach the quantile of the non-negative scores.

    Parameters
    ----------
    traces : float32 (sample, channel)
        Time-major traces.
    first_rows, channels : int64 (event,)
        First row of each event's window, and its channel.
    positions : float64 (channel, 2)
        Contact positions, used for events without any positive score.
    prototype : float32 (T,)
        Expected waveform.
    grid_positions, grid_depths_um, near_offsets, near_points, footprint_offsets, footprint_channels, footprint_weights
        The tables from `grid_footprints`.
    quantile : float
        Between 0 and 1; interpolated linearly between scores.

    Returns
    -------
    float64 (event, 3)
        Places, µm.
    """
    n_depths = grid_depths_um.size
    n_scores = 0
    for c in range(positions.shape[0]):
        n_scores = max(n_scores, (near_offsets[c + 1] - near_offsets[c]) * n_depths)
    scores = empty(n_scores, np.float64)
    ranked = empty(n_scores, np.float64)
    products = empty(positions.shape[0], np.float64)
    # The event for which a channel's product was last computed, which avoids a list of needed channels.
    computed_for = full(positions.shape[0], -1, np.int64)
    places = empty((channels.size, 3), np.float64)
    for i in range(channels.size):
        near = near_points[near_offsets[channels[i]] : near_offsets[channels[i] + 1]]
        n_valid = 0
        for p in range(near.size):
            for d in range(n_depths):
                row = near[p] * n_depths + d
                score = 0.0
                for entry in range(footprint_offsets[row], footprint_offsets[row + 1]):
                    c = footprint_channels[entry]
                    if computed_for[c] != i:
                        computed_for[c] = i
                        products[c] = 0.0
                        for t in range(prototype.size):
                            products[c] += np.float64(prototype[t]) * traces[first_rows[i] + t, c]
                    score += footprint_weights[entry] * products[c]
                scores[p * n_depths + d] = score
                if score >= 0:
                    ranked[n_valid] = score
                    n_valid += 1
        total = x = y = z = 0.0
        if n_valid > 0:
            floor = _quantile(ranked[:n_valid], quantile)
            for p in range(near.size):
                for d in range(n_depths):
                    score = scores[p * n_depths + d]
                    if score >= floor:
                        total += score
                        x += score * grid_positions[near[p], 0]
                        y += score * grid_positions[near[p], 1]
                        z += score * grid_depths_um[d]
        if total > 0:
            x, y, z = x / total, y / total, z / total
        else:
            x, y, z = positions[channels[i], 0], positions[channels[i], 1], 0.0
        places[i, 0], places[i, 1], places[i, 2] = x, y, z
    return places


@helper
def _quantile(values: NDArray[np.float64], quantile: float) -> np.float64:
    """Quantile with linear interpolation between the two neighboring values; changes the order of the values."""
    at = quantile * (values.size - 1)
    below = int(at)
    low: np.float64 = _select(values, below)
    if below + 1 == values.size:
        return low
    following: np.float64 = values[below + 1 :].min()
    return low + (at - below) * (following - low)


@helper
def _select(values: NDArray[np.float64], rank: int) -> np.float64:
    """The value of a rank, moved to its place with smaller ones before and larger ones after it (Hoare 1961).

    ``np.partition`` gives the same and takes four seconds to compile.
    """
    first, last = 0, values.size - 1
    while first < last:
        pivot, i, j = values[rank], first, last
        while i <= j:
            while values[i] < pivot:
                i += 1
            while pivot < values[j]:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if j < rank:
            first = i
        if rank < i:
            last = j
    found: np.float64 = values[rank]
    return found
