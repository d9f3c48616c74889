"""Positions of spikes from the sizes of their waveforms on neighbouring channels.

Three estimates, each a feature stage: centre of mass (the fastest), convolution with a grid of expected footprints,
and a fit of a point source (Boussard et al., 2021, "Three-dimensional spike localization and improved motion
correction for Neuropixels recordings"). ``x`` and ``y`` lie in the plane of the contacts, ``z`` is the distance from
it, all in µm. Each event is computed by itself from the samples in its window, in float64.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xephys.kernels.detect import add_fields
from xephys.kernels.dispatch import with_device_twin
from xephys.kernels.footprint_grid import average_best_points
from xephys.kernels.point_source import MIN_Z_UM, enforce_decrease, fit_sources
from xephys.kernels.waveforms import event_rows

Feature = Literal["ptp", "energy", "peak_voltage"]

_FEATURES = ("ptp", "energy", "peak_voltage")
_POSITION_FIELDS: list[tuple[str, str, tuple[int, ...]]] = [("x", "<f8", ()), ("y", "<f8", ()), ("z", "<f8", ())]


@with_device_twin("xephys.kernels.device.features:localize_center_of_mass")
def localize_center_of_mass(
    traces: NDArray[np.float32],
    events: NDArray[np.void],
    *,
    before: int,
    after: int,
    start: int,
    positions: NDArray[np.float64],
    neighbours: NDArray[np.int32],
    feature: Feature = "ptp",
    window_before: int,
    window_after: int,
) -> NDArray[np.void]:
    """Append the feature-weighted mean position of the neighbour channels.

    Parameters
    ----------
    traces : float32 (before + n + after, channel)
        Time-major traces; row ``before`` is sample `start`.
    events : structured ndarray
        Table with ``sample_index`` and ``channel_index``.
    before, after, start : int
        Halo rows (see `xephys.kernels.waveforms.window_halo`) and absolute index of the first core sample.
    positions : float64 (channel, 2)
        Contact positions, µm.
    neighbours : int32 (channel, k)
        Channels averaged for an event on each channel, padded with -1.
    feature : {"ptp", "energy", "peak_voltage"}
        Size of the waveform on a channel: peak to peak, L2 norm, or absolute value at the event's sample.
    window_before, window_after : int
        The window is ``[sample - window_before, sample + window_after)``.

    Returns
    -------
    structured ndarray
        The events with float64 fields ``x``, ``y`` and ``z``, which is 0: the mean of contacts lies in their plane.
        An event whose features are all zero is put on its own channel.

    Raises
    ------
    ValueError
        If a window reaches outside the tile, or the feature is unknown.

    Examples
    --------
    >>> from xephys.kernels.detect import PEAK_DTYPE
    >>> traces = np.zeros((5, 2), dtype=np.float32)
    >>> traces[2] = -3, -1
    >>> events = np.zeros(1, dtype=PEAK_DTYPE)
    >>> localize_center_of_mass(traces, events, before=2, after=2, start=0, positions=np.array([[0.0, 0], [0, 20]]),
    ...                         neighbours=np.array([[0, 1], [0, 1]], dtype=np.int32),
    ...                         window_before=2, window_after=3)["y"]
    array([5.])
    """
    sizes, channels = _sizes(traces, events, before, after, start, neighbours, feature, window_before, window_after)
    table = add_fields(events, _POSITION_FIELDS)
    table["x"], table["y"] = _center_of_mass(sizes, channels, neighbours, positions.astype(np.float64)).T
    return table


def localize_monopolar_triangulation(
    traces: NDArray[np.float32],
    events: NDArray[np.void],
    *,
    before: int,
    after: int,
    start: int,
    positions: NDArray[np.float64],
    neighbours: NDArray[np.int32],
    feature: Feature = "ptp",
    window_before: int,
    window_after: int,
    max_distance_um: float = 150.0,
    decrease_steps: NDArray[np.int32] | None = None,
) -> NDArray[np.void]:
    """Append the point source that best explains the features, feature = alpha / distance.

    Minimises ``mean((w - alpha q)^2) - 1e-4 log(1 + 10 z)`` with ``w`` the features divided by the largest,
    ``q = 1 / sqrt((x - xi)^2 + (y - yi)^2 + z^2)`` and alpha solved in closed form: SpikeInterface's default
    objective. The closed form leaves three unknowns, found by Levenberg–Marquardt steps on the projected residual
    (Golub and Pereyra's variable projection, Kaufman's Jacobian), kept inside a box: x and y at most
    `max_distance_um` from the centre of mass, z from 1 to ten times `max_distance_um`.

    Parameters
    ----------
    traces, events, before, after, start, positions, neighbours, feature, window_before, window_after
        As for `localize_center_of_mass`.
    max_distance_um : float
        Size of the box, µm.
    decrease_steps : int32 (channel, k, 1 + parents), optional
        From `xephys.kernels.point_source.radial_decrease_steps` with the same neighbours: features are first made
        not to grow away from the event's channel.

    Returns
    -------
    structured ndarray
        The events with float64 fields ``x``, ``y``, ``z`` (µm) and ``alpha`` (unit of the traces × µm). An event
        whose features are all zero is put on its own channel, with the least z and alpha 0.

    Raises
    ------
    ValueError
        If a window reaches outside the tile, the feature is unknown, or `max_distance_um` is less than 1 µm.

    Examples
    --------
    >>> from xephys.kernels.detect import PEAK_DTYPE
    >>> positions = np.array([[x, y] for y in range(0, 100, 20) for x in (0.0, 30.0)])
    >>> traces = np.zeros((5, 10), dtype=np.float32)
    >>> traces[2] = -1000 / np.sqrt(((positions - [10, 45]) ** 2).sum(axis=1) + 15**2)
    >>> events = np.zeros(1, dtype=PEAK_DTYPE)
    >>> source = localize_monopolar_triangulation(
    ...     traces, events, before=2, after=2, start=0, positions=positions,
    ...     neighbours=np.tile(np.arange(10, dtype=np.int32), (10, 1)), window_before=2, window_after=3)
    >>> source["x"].round(0), source["y"].round(0)
    (array([10.]), array([45.]))
    """
    if not max_distance_um >= MIN_Z_UM:
        raise ValueError(f"max_distance_um is {max_distance_um}; it must be at least {MIN_Z_UM} µm")
    sizes, channels = _sizes(traces, events, before, after, start, neighbours, feature, window_before, window_after)
    if decrease_steps is not None:
        enforce_decrease(sizes, channels, decrease_steps)
    centers = _center_of_mass(sizes, channels, neighbours, positions.astype(np.float64))
    sources = fit_sources(sizes, channels, neighbours, positions.astype(np.float64), centers, float(max_distance_um))
    table = add_fields(events, [*_POSITION_FIELDS, ("alpha", "<f8", ())])
    table["x"], table["y"], table["z"], table["alpha"] = sources.T
    return table


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

    The waveform on each channel is reduced to its product with the prototype; the products are scored against the
    footprint of each grid point near the event's channel at each depth. Scores below zero are dropped, the best
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
        The tables from `xephys.kernels.footprint_grid.grid_footprints`.
    kept_percent : float
        Share of the scores that is averaged, more than 0 to 100.

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
    >>> from xephys.kernels.detect import PEAK_DTYPE
    >>> from xephys.kernels.footprint_grid import grid_footprints
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
    table = add_fields(events, _POSITION_FIELDS)
    table["x"], table["y"], table["z"] = found.T
    return table


def check_feature(feature: str) -> None:
    if feature not in _FEATURES:
        raise ValueError(f"feature is {feature!r}; use one of {', '.join(_FEATURES)}")


def _sizes(
    traces: NDArray[np.float32],
    events: NDArray[np.void],
    before: int,
    after: int,
    start: int,
    neighbours: NDArray[np.int32],
    feature: Feature,
    window_before: int,
    window_after: int,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Feature of each event on each neighbour channel, zero for padding, and the events' channels."""
    check_feature(feature)
    rows = event_rows(
        traces, events, before=before, after=after, start=start, nbefore=window_before, nafter=window_after
    )
    channels = events["channel_index"].astype(np.int64)
    code = _FEATURES.index(feature)
    return _channel_features(traces, rows, channels, neighbours, window_before, window_after, code), channels


@njit(nogil=True, cache=True)
def _channel_features(
    traces: NDArray[np.float32],
    rows: NDArray[np.int64],
    channels: NDArray[np.int64],
    neighbours: NDArray[np.int32],
    window_before: int,
    window_after: int,
    code: int,
) -> NDArray[np.float64]:
    n_slots = neighbours.shape[1]
    sizes = np.zeros((rows.size, n_slots), dtype=np.float64)
    lowest = np.empty(n_slots, dtype=np.float32)
    highest = np.empty(n_slots, dtype=np.float32)
    for i in range(rows.size):
        slots = neighbours[channels[i]]
        if code == 2:
            for j in range(n_slots):
                if slots[j] >= 0:
                    sizes[i, j] = abs(traces[rows[i], slots[j]])
        elif code == 1:
            for row in range(rows[i] - window_before, rows[i] + window_after):
                for j in range(n_slots):
                    if slots[j] >= 0:
                        value = np.float64(traces[row, slots[j]])
                        sizes[i, j] += value * value
            for j in range(n_slots):
                sizes[i, j] = np.sqrt(sizes[i, j])
        else:
            lowest[:] = np.inf
            highest[:] = -np.inf
            for row in range(rows[i] - window_before, rows[i] + window_after):
                for j in range(n_slots):
                    # Slot -1 reads the last channel, harmlessly: the branch would cost more than the read.
                    v = traces[row, slots[j]]
                    lowest[j] = min(lowest[j], v)
                    highest[j] = max(highest[j], v)
            for j in range(n_slots):
                if slots[j] >= 0:
                    sizes[i, j] = highest[j] - lowest[j]
    return sizes


@njit(nogil=True, cache=True)
def _center_of_mass(
    sizes: NDArray[np.float64],
    channels: NDArray[np.int64],
    neighbours: NDArray[np.int32],
    positions: NDArray[np.float64],
) -> NDArray[np.float64]:
    centers = np.empty((channels.size, 2), dtype=np.float64)
    for i in range(channels.size):
        total = x = y = 0.0
        for j in range(neighbours.shape[1]):
            c = neighbours[channels[i], j]
            if c >= 0:
                total += sizes[i, j]
                x += sizes[i, j] * positions[c, 0]
                y += sizes[i, j] * positions[c, 1]
        if total > 0:
            centers[i, 0], centers[i, 1] = x / total, y / total
        else:
            centers[i] = positions[channels[i]]
    return centers
