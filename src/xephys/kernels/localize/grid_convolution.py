"""Localize peaks by convolution with the footprints of a grid of sources."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.features.waveforms import event_rows
from xephys.kernels.lib.records import add_fields
from xephys.kernels.localize.center_of_mass import POSITION_FIELDS
from xephys.kernels.localize.footprint_grid import average_best_points


def localize_grid_convolution(
    traces: NDArray[np.float32],
    events: NDArray[np.void],
    *,
    before: int,
    after: int,
    start: int,
    positions: NDArray[np.float64],
    prototype: NDArray[np.float32],
    nbefore: int,
    grid_positions: NDArray[np.float64],
    grid_depths_um: NDArray[np.float64],
    near_offsets: NDArray[np.int64],
    near_points: NDArray[np.int32],
    footprint_offsets: NDArray[np.int64],
    footprint_channels: NDArray[np.int32],
    footprint_weights: NDArray[np.float32],
    kept_percent: float = 5.0,
) -> NDArray[np.void]:
    """Append the mean position of the grid points whose expected footprints match best.

    The waveform on each channel is reduced to its product with the prototype. The products are scored against the
    footprint of each grid point near the event's channel, at each depth. Scores below zero are dropped, and the best
    `kept_percent` of the others are averaged with the scores as weights.

    Parameters
    ----------
    traces, events, before, after, start, positions
        As for `localize_center_of_mass`.
    prototype : float32 (T,)
        Expected waveform, negative for negative spikes; entry `nbefore` lies on the event's sample.
    nbefore : int
        Samples of the prototype before the event.
    grid_positions, grid_depths_um, near_offsets, near_points, footprint_offsets, footprint_channels, footprint_weights
        The tables from `xephys.kernels.localize.footprint_grid.grid_footprints`.
    kept_percent : float
        Percentage of the scores that is averaged, above 0 and at most 100.

    Returns
    -------
    structured ndarray
        The events with float64 fields ``x``, ``y``, ``z`` (µm). An event that matches no footprint is put on its own
        channel.

    Raises
    ------
    ValueError
        If a window reaches outside the tile, or `kept_percent` is out of range.

    Examples
    --------
    >>> from xephys.kernels.detect.peaks import PEAK_DTYPE
    >>> from xephys.kernels.localize.footprint_grid import grid_footprints
    >>> positions = np.array([[0.0, 20.0 * i] for i in range(5)])
    >>> traces = np.zeros((5, 5), dtype=np.float32)
    >>> traces[2] = 0, -1, -5, -1, 0
    >>> events = np.zeros(1, dtype=PEAK_DTYPE)
    >>> events["channel_index"] = 2
    >>> localize_grid_convolution(traces, events, before=2, after=2, start=0, positions=positions,
    ...                           prototype=np.float32([-1]), nbefore=0, **grid_footprints(positions))["y"].round(6)
    array([40.])
    """
    if not 0 < kept_percent <= 100:
        raise ValueError(f"kept_percent is {kept_percent}; it must be more than 0 and at most 100")
    rows = event_rows(
        traces, events, before=before, after=after, start=start, nbefore=nbefore, nafter=prototype.size - nbefore
    )
    channels = events["channel_index"].astype(np.int64)
    found = average_best_points(
        traces,
        rows - nbefore,
        channels,
        positions.astype(np.float64),
        prototype.astype(np.float32),
        grid_positions,
        grid_depths_um,
        near_offsets,
        near_points,
        footprint_offsets,
        footprint_channels,
        footprint_weights,
        1 - kept_percent / 100,
    )
    table = add_fields(events, POSITION_FIELDS)
    table["x"], table["y"], table["z"] = found.T
    return table
