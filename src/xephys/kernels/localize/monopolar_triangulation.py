"""Localize peaks by monopolar triangulation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.records import add_fields
from xephys.kernels.localize.center_of_mass import POSITION_FIELDS, center_of_weights
from xephys.kernels.localize.channel_features import Feature, channel_sizes
from xephys.kernels.localize.point_source import MIN_Z_UM, enforce_decrease, fit_sources


def localize_monopolar_triangulation(
    traces: NDArray[np.float32],
    events: NDArray[np.void],
    *,
    before: int,
    after: int,
    start: int,
    positions: NDArray[np.float64],
    neighbors: NDArray[np.int32],
    feature: Feature = "ptp",
    nbefore: int,
    nafter: int,
    distance_max_um: float = 150.0,
    decrease_steps: NDArray[np.int32] | None = None,
) -> NDArray[np.void]:
    """Append the point source that best explains the features, feature = alpha / distance.

    Minimizes ``mean((w - alpha q)^2) - 1e-4 log(1 + 10 z)``, where ``w`` are the features divided by the largest, ``q =
    1 / sqrt((x - xi)^2 + (y - yi)^2 + z^2)``, and alpha is solved in closed form: SpikeInterface's default objective.
    This leaves three unknowns, found by Levenberg–Marquardt steps on the projected residual (Golub and Pereyra's
    variable projection, Kaufman's Jacobian). They are kept inside a box: x and y at most `distance_max_um` from the
    center of mass, z from 1 to ten times `distance_max_um`.

    Parameters
    ----------
    traces, events, before, after, start, positions, neighbors, feature, nbefore, nafter
        As for `localize_center_of_mass`.
    distance_max_um : float
        Size of the box, µm.
    decrease_steps : int32 (channel, k, 1 + parents), optional
        From `xephys.kernels.localize.point_source.radial_decrease_steps` with the same neighbors: features are first
        limited so that they do not grow away from the event's channel.

    Returns
    -------
    structured ndarray
        The events with float64 fields ``x``, ``y``, ``z`` (µm) and ``alpha`` (unit of the traces × µm). An event whose
        features are all zero is placed on its own channel, with the smallest z and alpha 0.

    Raises
    ------
    ValueError
        If a window reaches outside the tile, the feature is unknown, or `distance_max_um` is less than 1 µm.

    Examples
    --------
    >>> from xephys.kernels.detect.peaks import PEAK_DTYPE
    >>> positions = np.array([[x, y] for y in range(0, 100, 20) for x in (0.0, 30.0)])
    >>> traces = np.zeros((5, 10), dtype=np.float32)
    >>> traces[2] = -1000 / np.sqrt(((positions - [10, 45]) ** 2).sum(axis=1) + 15**2)
    >>> events = np.zeros(1, dtype=PEAK_DTYPE)
    >>> source = localize_monopolar_triangulation(
    ...     traces, events, before=2, after=2, start=0, positions=positions,
    ...     neighbors=np.tile(np.arange(10, dtype=np.int32), (10, 1)), nbefore=2, nafter=3)
    >>> source["x"].round(0), source["y"].round(0)
    (array([10.]), array([45.]))
    """
    if not distance_max_um >= MIN_Z_UM:
        raise ValueError(f"distance_max_um is {distance_max_um}; it must be at least {MIN_Z_UM} µm")
    sizes, channels = channel_sizes(traces, events, before, after, start, neighbors, feature, nbefore, nafter)
    if decrease_steps is not None:
        enforce_decrease(sizes, channels, decrease_steps)
    centers = center_of_weights(sizes, channels, neighbors, positions.astype(np.float64))
    sources = fit_sources(sizes, channels, neighbors, positions.astype(np.float64), centers, float(distance_max_um))
    table = add_fields(events, [*POSITION_FIELDS, ("alpha", "<f8", ())])
    table["x"], table["y"], table["z"], table["alpha"] = sources.T
    return table
