"""Which channels are near each other, by position and within one group of channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..checks import check_number
from ..errors import ParameterError, warn_user
from ..per_channel import positions_of

#: On any probe, the distance between nearest contacts lies between these.
SPACING_UM_MIN, SPACING_UM_MAX = 1.0, 5000.0
#: A distance that no spike reaches across.
APART_UM = 2000.0


def neighbors_within(
    positions: NDArray[np.float64], *, radius_um: float, groups: NDArray[np.integer[Any]] | None = None
) -> NDArray[np.int32]:
    """Channels within a radius of each channel, itself included.

    Parameters
    ----------
    positions
        ``(channel, 2)`` in µm.
    radius_um
        Maximum distance, inclusive.
    groups
        Group of each channel, from :func:`channel_groups`: channels of different groups are never neighbors. One group
        if None.

    Returns
    -------
    int32 ``(channel, k)``, each row in ascending order and padded with -1.

    Examples
    --------
    >>> neighbors_within(np.array([[0.0, 0], [0, 20], [0, 100]]), radius_um=50).tolist()
    [[0, 1], [0, 1], [2, -1]]
    """
    check_number(radius_um=radius_um)
    if not radius_um >= 0:
        raise ParameterError(f"radius_um is {radius_um!r}; it must be at least 0")
    distances = _distances(positions, groups)
    return padded([np.flatnonzero(row <= radius_um) for row in distances])


def nearest_channels(
    positions: NDArray[np.float64], *, n_nearest: int, groups: NDArray[np.integer[Any]] | None = None
) -> NDArray[np.int32]:
    """The nearest channels of each channel within its group, itself included; ties go to the lower channel.

    Returns
    -------
    int32 ``(channel, k)`` with ``n_nearest`` columns, or fewer if no group has that many channels; each row in
    ascending order of channel, padded with -1 if its group is smaller.

    Examples
    --------
    >>> nearest_channels(np.array([[0.0, 0], [0, 20], [0, 100]]), n_nearest=2).tolist()
    [[0, 1], [0, 1], [1, 2]]
    """
    if n_nearest < 1:
        raise ParameterError(f"n_nearest is {n_nearest}; it must be at least 1")
    distances = np.round(_distances(positions, groups), 3)
    n_reached = np.isfinite(distances).sum(axis=1)
    order = np.argsort(distances, axis=1, kind="stable")[:, : min(n_nearest, int(n_reached.max(initial=1)))]
    if groups is None:
        return np.sort(order, axis=1).astype(np.int32)
    return padded([np.sort(row[:n]) for row, n in zip(order, n_reached, strict=True)])


def _distances(positions: NDArray[np.float64], groups: NDArray[np.integer[Any]] | None) -> NDArray[np.float64]:
    """Distance between each pair of channels; infinite between groups."""
    distances: NDArray[np.float64] = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    if groups is not None:
        distances[groups[:, None] != groups[None]] = np.inf
    return distances


def padded(rows: list[Any]) -> NDArray[np.int32]:
    """Combine rows of different lengths into one int32 table, padded with -1."""
    table = np.full((len(rows), max((len(r) for r in rows), default=0)), -1, np.int32)
    for i, row in enumerate(rows):
        table[i, : len(row)] = row
    return table


def warn_odd_spacing(recording: xr.DataArray) -> None:
    """Warn if positions cannot be in µm: nearest contacts are less than 1 µm or more than 5 mm apart.

    Contacts that share one place, such as those of tetrodes with unknown geometry, are ignored.
    """
    if "x" not in recording.coords or "y" not in recording.coords or recording.sizes["channel"] < 2:
        return
    positions = np.stack([np.asarray(recording.coords[axis].values, np.float64) for axis in ("x", "y")], axis=1)
    found = channel_groups(recording)
    groups = np.zeros(len(positions), np.int64) if found is None else found
    nearest = _nearest_distances(positions, groups)
    if not len(nearest):
        return
    typical = float(np.median(nearest))
    if SPACING_UM_MIN <= typical <= SPACING_UM_MAX:
        return
    if typical < SPACING_UM_MIN:
        said = f"{typical:.3g} um apart, less than {SPACING_UM_MIN:g}: if they are in mm, multiply them by 1000"
    else:
        said = (
            f"{typical / 1e3:.3g} mm apart, more than {SPACING_UM_MAX / 1e3:g}: if they are in nm, divide them by 1000"
        )
    warn_user(
        f"the nearest contacts lie {said} (coordinates x and y, or si_units of the probe); they were taken for um"
    )


def _nearest_distances(positions: NDArray[np.float64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """Distance from each contact to the nearest one of its group at another place."""
    found = []
    for group in np.unique(groups):
        places = np.unique(positions[groups == group], axis=0)
        if len(places) > 1 and np.isfinite(places).all():
            found.append(_to_nearest(places))
    return np.concatenate(found) if found else np.empty(0)


def _to_nearest(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance from each of several places to the nearest other one."""
    if len(places) > 500:  # worth the tenth of a second that the import takes
        from scipy.spatial import cKDTree

        return np.asarray(cKDTree(places).query(places, k=2)[0][:, 1])
    distances = _distances(places, None)
    np.fill_diagonal(distances, np.inf)
    return np.asarray(distances.min(axis=1))


def shank_labels(recording: xr.DataArray) -> NDArray[np.str_]:
    """Name of each channel's shank: that of the shank alone if it is unique, otherwise probe and shank.

    Two probes may both have a shank ``"0"``; they are two shanks, ``"0:0"`` and ``"1:0"``.
    """
    return _labels(recording, ("shank", "probe"))


def shank_numbers(recording: xr.DataArray) -> NDArray[np.int64]:
    """Number of each channel's shank over all probes, counted from 0; all 0 if the recording names neither."""
    return np.unique(shank_labels(recording), return_inverse=True)[1].astype(np.int64)


def group_labels(recording: xr.DataArray) -> NDArray[np.str_]:
    """Name of each channel's group, as short as possible; see :func:`channel_groups`."""
    return _labels(recording, ("shank", "probe", "group"))


def channel_groups(recording: xr.DataArray) -> NDArray[np.int64] | None:
    """Number of each channel's group; None if there is only one group.

    Channels of different probes, shanks or groups (coordinates ``probe``, ``shank``, ``group``) see different tissue,
    however close their positions: the contacts of tetrodes, or of probes with their own coordinates, often all lie at
    (0, 0). No neighborhood reaches from one group into another.

    Examples
    --------
    >>> from xephys.schema import make_recording
    >>> rec = make_recording(np.zeros((9, 4)), sampling_frequency=1e4, coordinates={"shank": ["0", "1", "0", "1"],
    ...                      "probe": [0, 0, 1, 1]})
    >>> channel_groups(rec).tolist()
    [0, 1, 2, 3]
    """
    numbers = np.unique(group_labels(recording), return_inverse=True)[1].astype(np.int64)
    return numbers if numbers.max(initial=0) > 0 else None


def separated_positions(recording: xr.DataArray, *, why: str) -> NDArray[np.float64]:
    """Positions ``(channel, 2)`` in µm, with the groups of channels moved far apart in x, for measuring distances.

    Channels close to each other in these positions are truly close and of one group. The result does not depend on how
    far apart the groups are in the recording.

    Raises
    ------
    RecordingError
        If the recording has no probe; ``why`` names the operation that needs it.
    """
    positions = positions_of(recording, why=why)
    return positions + separation_um(recording, positions)


def separation_um(recording: xr.DataArray, positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Offset of each channel in :func:`separated_positions`, ``(channel, 2)``; 0 if there is one group."""
    moved = np.zeros_like(positions)
    groups = channel_groups(recording)
    if groups is None:
        return moved
    left = 0.0
    for group in range(int(groups.max()) + 1):
        own = groups == group
        x = positions[own, 0]
        moved[own, 0] = left - x.min()
        left = np.ceil(left + np.ptp(x) + APART_UM)
    return moved


def _labels(recording: xr.DataArray, names: Sequence[str]) -> NDArray[np.str_]:
    """One name per channel, as short as possible while channels that differ in a coordinate have different names."""
    labels = np.full(recording.sizes["channel"], "0")
    for name in names:
        if name in recording.coords:
            values = recording.coords[name].values.astype(str)
            both = np.array([f"{value}:{label}" for value, label in zip(values, labels, strict=True)])
            if len(np.unique(labels)) == 1:
                labels = values
            elif len(np.unique(both)) > len(np.unique(labels)):
                labels = both
    return labels
