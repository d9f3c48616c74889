"""How long neurons are followed: the share of units that are found again some sessions later."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .curate import track_numbers


def track_survival(tracks: xr.DataTree) -> xr.Dataset:
    """Share of the tracks of a session that are also in a session a given number of sessions later.

    Parameters
    ----------
    tracks
        From :func:`xephys.track_units`. Rejected tracks are left out.

    Returns
    -------
    xarray.Dataset
        Along ``gap`` (sessions apart, from 0): ``share``, and ``n_tracks``, the number of tracks and pairs of sessions
        it is of. ``share`` is NaN if no session has a track.

    Examples
    --------
    >>> from xephys import track_units
    >>> from xephys.testing import simulate_sessions
    >>> tracks = track_units(simulate_sessions(n_sessions=3, n_neurons=20, n_channels=64, dropout=0, seed=1)[0])
    >>> track_survival(tracks)["share"].values.tolist()
    [1.0, 1.0, 1.0]
    """
    _, present = presence_of(tracks)
    present, n_sessions = present.astype(np.int64), present.shape[1]
    both = present.T @ present
    found = np.array([np.trace(both, gap) for gap in range(n_sessions)])
    of = np.array([np.diag(both)[: n_sessions - gap].sum() for gap in range(n_sessions)])
    share = np.divide(found, of, out=np.full(n_sessions, np.nan), where=of > 0)
    return xr.Dataset({"share": ("gap", share), "n_tracks": ("gap", of)}, coords={"gap": np.arange(n_sessions)})


def presence_of(tracks: xr.DataTree) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Numbers of the tracks that are not rejected, and in which sessions they have a unit ``(track, session)``.

    Raises
    ------
    TypeError
        If these are not tracks.
    """
    track, table = track_numbers(tracks), tracks["tracks"].to_dataset()
    present = np.zeros((table.sizes["track"], len(tracks.attrs["sessions"])), np.bool_)
    present[np.searchsorted(table["track"].values, track), tracks["units"]["session"].values] = True
    kept = ~table["rejected"].values if "rejected" in table else np.ones(len(present), np.bool_)
    return table["track"].values[kept], present[kept]
