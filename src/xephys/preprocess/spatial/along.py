"""Derivatives and means along one direction of the probe."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ... import schema
from ...calls import operation
from ...checks import check_choice
from ...errors import ParameterError, RecordingError
from ...graph.plan import Stage
from ...per_channel import bad_channels_of, positions_of
from ...recording.geometry import channel_groups
from ...recording.slicing import select_channels
from ...recording.stages import extend_recording

#: The other direction: channels with equal coordinates in it form a column along the first.
_ACROSS = {"x": "y", "y": "x"}


@operation
def directional_derivative(
    recording: xr.DataArray, *, direction: str = "y", order: int = 1, edge_order: int = 1
) -> xr.DataArray:
    """Differentiate the traces with respect to position along each column of channels, lazily.

    The second derivative along depth is the current source density up to a factor.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)`` and positions.
    direction
        ``"x"`` or ``"y"``. Channels of one shank that agree in the other coordinate form a column.
    order
        Order of the derivative.
    edge_order
        Order of accuracy at the ends of a column, 1 or 2, as in :func:`numpy.gradient`.

    Returns
    -------
    Traces, float32, same coordinates and chunks, still lazy; one task per chunk. The unit is that of the recording
    per µm, to the power of ``order``.

    Raises
    ------
    ParameterError
        If the direction is unknown, or an order out of range.
    RecordingError
        If positions are missing, or a column is too short.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> directional_derivative(recording, direction="y").attrs["units"]
    'counts/um'
    """
    from ...kernels.lib.mixing import mix_channels, pack_dense
    from ...kernels.preprocess.spatial.along import derivative_matrix

    if order < 1 or edge_order not in (1, 2):
        raise ParameterError(f"order is {order!r} and edge_order {edge_order!r}; give at least 1, and 1 or 2")
    units = schema.validate_recording(recording).units
    along, columns = _columns(recording, direction)
    try:
        matrix = derivative_matrix(along, columns, order=order, edge_order=edge_order)
    except ValueError as error:
        raise RecordingError(f"along {direction} {error}; choose the other direction") from error
    stage = Stage(mix_channels, dtype=np.dtype("f4"), arrays=pack_dense(matrix))
    return extend_recording(recording, stage, units=units + ("/um" if order == 1 else f"/um^{order}"))


@operation
def average_across_direction(recording: xr.DataArray, *, direction: str = "y") -> xr.DataArray:
    """Average the channels that share a place along a direction, lazily.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)`` and positions.
    direction
        ``"x"`` or ``"y"``: the coordinate that is kept. With ``"y"``, the channels of one depth and shank become one.

    Returns
    -------
    Traces, float32, one channel per place, in order of place, still lazy; one task per chunk. A channel has the
    identifier and coordinates of the first channel averaged into it, except that the other coordinate is the mean.
    Channels marked ``bad`` contribute only where no channel is good.

    Raises
    ------
    ParameterError
        If the direction is unknown.
    RecordingError
        If positions are missing.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> average_across_direction(recording).sizes["channel"] == len(set(recording.y.values))
    True
    """
    from ...kernels.lib.mixing import mix_channels, pack_sparse
    from ...kernels.preprocess.spatial.along import mean_weights

    schema.validate_recording(recording)
    along, _ = _columns(recording, direction)
    found = channel_groups(recording)
    shanks = np.zeros(len(along), np.int64) if found is None else found
    _, places = np.unique(np.stack([shanks, along]), axis=1, return_inverse=True)
    good = ~bad_channels_of(recording)
    # A bad channel counts as a place of its own, which is not returned, unless all channels of its place are bad.
    n_good = np.bincount(places[good], minlength=places.max() + 1)
    left_out = ~good & (n_good[places] > 0)
    kept = select_channels(recording, recording.channel.values[~left_out]) if left_out.any() else recording
    numbers = np.unique(places[~left_out], return_inverse=True)[1]
    neighbors, weights, first = mean_weights(numbers)
    other = _ACROSS[direction]
    across = np.bincount(numbers, kept.coords[other].values) / np.bincount(numbers)
    stage = Stage(mix_channels, dtype=np.dtype("f4"), arrays=pack_sparse(neighbors, weights))
    averaged = select_channels(extend_recording(kept, stage), kept.channel.values[first])
    return averaged.assign_coords({other: ("channel", across, kept.coords[other].attrs)})


def _columns(recording: xr.DataArray, direction: str) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Place of each channel along the direction, and its column: the channels of one shank that agree across it."""
    check_choice("direction", direction, tuple(_ACROSS))
    positions = positions_of(recording, why="an operation along a direction")
    along, across = positions[:, "xy".index(direction)], positions[:, "yx".index(direction)]
    found = channel_groups(recording)
    shanks = np.zeros(len(along), np.int64) if found is None else found
    columns = np.unique(np.stack([shanks, across]), axis=1, return_inverse=True)[1]
    return along, columns.astype(np.int64)
