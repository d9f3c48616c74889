"""Distances of contacts, and the registered probe: the contacts at every place to which the motion moves them."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray


def smallest_distance(geom: NDArray[np.float64]) -> float:
    """Smallest distance of two contacts, µm; 0 for a single one.

    Examples
    --------
    >>> smallest_distance(np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 20.0]]))
    5.0
    """
    from scipy.spatial import KDTree

    if len(geom) < 2:
        return 0.0
    return float(KDTree(geom).query(geom, k=2)[0][:, 1].min())


def column_pitch(geom: NDArray[np.float64]) -> float:
    """Smallest distance along the probe in one column, or of any two contacts if every column has one, µm.

    Examples
    --------
    >>> column_pitch(np.array([[0.0, 0.0], [10.0, 10.0], [0.0, 20.0], [10.0, 30.0]]))
    20.0
    """
    order = np.lexsort((geom[:, 1], geom[:, 0]))
    same_column = np.diff(geom[order, 0]) == 0
    gaps = np.diff(geom[order, 1])[same_column]
    if not (gaps > 0).any():
        gaps = np.diff(np.unique(geom[:, 1]))
    return float(gaps[gaps > 0].min()) if (gaps > 0).any() else 1.0


def registered_geometry(geom: NDArray[np.float64], motion: xr.Dataset | None) -> NDArray[np.float64]:
    """The contacts, shifted by all whole pitches that the displacement reaches, each place once.

    Parameters
    ----------
    geom
        Positions ``(channel, 2)`` of the contacts, µm.
    motion
        Motion of the tissue; None if it is still, where the registered probe is the probe itself.

    Examples
    --------
    >>> from xephys.motion.displacement import make_motion
    >>> motion = make_motion([[0.0], [25.0]], time_s=[0, 1], depth_um=[0.0])
    >>> registered_geometry(np.array([[0.0, 0.0], [0.0, 20.0]]), motion)[:, 1].tolist()
    [-20.0, 0.0, 20.0]
    """
    if motion is None:
        return geom
    pitch = column_pitch(geom)
    shifts = -motion["displacement_um"].values / pitch
    low, high = int(np.rint(min(shifts.min(), 0))), int(np.rint(max(shifts.max(), 0)))
    steps = pitch * np.arange(low, high + 1)
    places = (geom[None] + np.stack([np.zeros_like(steps), steps], axis=1)[:, None]).reshape(-1, 2)
    tolerance = max(smallest_distance(geom) / 2, 1e-3)
    _, first = np.unique(np.rint(places / tolerance), axis=0, return_index=True)
    kept: NDArray[np.float64] = places[np.sort(first)]
    return kept[np.lexsort((kept[:, 0], kept[:, 1]))]
