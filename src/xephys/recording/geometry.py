"""Tables of neighbouring channels from positions."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..errors import ParameterError, XephysWarning

#: Nearest contacts of a probe lie between these, whatever it is made for.
SPACING_UM_MIN, SPACING_UM_MAX = 1.0, 5000.0


def neighbours_within(positions: NDArray[np.float64], *, radius_um: float) -> NDArray[np.int32]:
    """Channels within a radius of each channel, itself included.

    Parameters
    ----------
    positions
        ``(channel, 2)`` in µm.
    radius_um
        Largest distance, inclusive.

    Returns
    -------
    int32 ``(channel, k)``, each row in ascending order and padded with -1.

    Examples
    --------
    >>> neighbours_within(np.array([[0.0, 0], [0, 20], [0, 100]]), radius_um=50).tolist()
    [[0, 1], [0, 1], [2, -1]]
    """
    if not radius_um >= 0:
        raise ParameterError(f"radius_um is {radius_um!r}; it must be at least 0")
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    return padded([np.flatnonzero(row <= radius_um) for row in distances])


def nearest_channels(positions: NDArray[np.float64], *, n_nearest: int) -> NDArray[np.int32]:
    """The nearest channels of each channel, itself included; of equal distances the lower channel.

    Returns
    -------
    int32 ``(channel, min(n_nearest, n_channels))``, each row in ascending order of channel.

    Examples
    --------
    >>> nearest_channels(np.array([[0.0, 0], [0, 20], [0, 100]]), n_nearest=2).tolist()
    [[0, 1], [0, 1], [1, 2]]
    """
    if n_nearest < 1:
        raise ParameterError(f"n_nearest is {n_nearest}; it must be at least 1")
    distances = np.round(np.linalg.norm(positions[:, None] - positions[None], axis=2), 3)
    order = np.argsort(distances, axis=1, kind="stable")[:, : min(n_nearest, len(positions))]
    return np.sort(order, axis=1).astype(np.int32)


def padded(rows: list[Any]) -> NDArray[np.int32]:
    """Rows of different length as one int32 table, padded with -1."""
    table = np.full((len(rows), max((len(r) for r in rows), default=0)), -1, np.int32)
    for i, row in enumerate(rows):
        table[i, : len(row)] = row
    return table


def warn_odd_spacing(recording: xr.DataArray) -> None:
    """Warn where positions cannot be in µm: nearest contacts less than 1 µm or more than 5 mm apart.

    Contacts at one place, such as tetrodes whose geometry is unknown, are told apart by their shank and say nothing.
    """
    if "x" not in recording.coords or "y" not in recording.coords or recording.sizes["channel"] < 2:
        return
    positions = np.stack([np.asarray(recording.coords[axis].values, np.float64) for axis in ("x", "y")], axis=1)
    nearest = _nearest_distances(positions, shank_numbers(recording))
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
    warnings.warn(
        f"the nearest contacts lie {said} (coordinates x and y, or si_units of the probe); they were taken for um",
        XephysWarning,
        stacklevel=3,
    )


def _nearest_distances(positions: NDArray[np.float64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """Distance of each contact to the nearest other one of its group that is not at the same place."""
    from scipy.spatial import cKDTree

    found = []
    for group in np.unique(groups):
        places = np.unique(positions[groups == group], axis=0)
        if len(places) > 1 and np.isfinite(places).all():
            found.append(cKDTree(places).query(places, k=2)[0][:, 1])
    return np.concatenate(found) if found else np.empty(0)


def shank_numbers(recording: xr.DataArray) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Shank of each channel, counted from 0; all 0 where the recording names none."""
    if "shank" not in recording.coords:
        return np.zeros(recording.sizes["channel"], np.int64)
    return np.unique(recording.shank.values.astype(str), return_inverse=True)[1].astype(np.int64)
