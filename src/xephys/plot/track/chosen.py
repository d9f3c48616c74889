"""Shared by the figures of tracks: which tracks to draw, in which order, and in which sessions they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...checks import check_positive
from ...errors import ParameterError
from ...track.curate import track_numbers


def chosen_tracks(tracks: xr.DataTree, track_ids: Any, n_tracks_max: int) -> NDArray[np.int64]:
    """Numbers of the tracks to draw: those that are named, or the ``n_tracks_max`` with the most units, by depth.

    Rejected tracks are drawn only if they are named.

    Raises
    ------
    ParameterError
        If a track does not exist.
    TypeError
        If these are not tracks.
    """
    check_positive(n_tracks_max=n_tracks_max)
    number = track_numbers(tracks)
    table = tracks["tracks"].to_dataset()
    known = table["track"].values
    if track_ids is not None:
        named = np.atleast_1d(np.asarray(track_ids, np.int64))
        if unknown := np.setdiff1d(named, known).tolist():
            raise ParameterError(f"there is no track {unknown[0]}; the numbers are in tracks['tracks']['track']")
        return named
    if "rejected" in table:
        table = table.isel(track=np.flatnonzero(~table["rejected"].values))
    order = np.argsort(-table["n_units"].values, kind="stable")[:n_tracks_max]
    chosen = table["track"].values[order]
    depth = np.bincount(np.searchsorted(known, number), tracks["units"]["y_registered"].values, len(known))
    depth = depth / tracks["tracks"]["n_units"].values
    return np.asarray(chosen[np.argsort(depth[np.searchsorted(known, chosen)], kind="stable")], np.int64)


def shown_names(names: list[str], n_max: int) -> tuple[list[int], list[str]]:
    """Positions and names of at most ``n_max`` ticks, evenly spread.

    Examples
    --------
    >>> shown_names(["a", "b", "c", "d"], 2)
    ([0, 2], ['a', 'c'])
    """
    shown = list(range(0, len(names), max(1, -(-len(names) // n_max))))
    return shown, [names[k] for k in shown]
