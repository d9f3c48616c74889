"""Tracks as a column of the units of a sorting, which is stored and exported with them."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ..curate.regroup import logged_tree, nodes_of
from ..errors import ParameterError
from ..sorting import unit_ids_of, validate_sorting
from .curate import track_numbers


def label_tracks(sorting: xr.DataTree, tracks: xr.DataTree, session: str | int) -> xr.DataTree:
    """Give each unit of a tracked sorting the number of its track.

    Parameters
    ----------
    sorting
        The sorting of one of the sessions that were tracked.
    tracks
        From :func:`xephys.track_units`.
    session
        Name of the session.

    Returns
    -------
    xarray.DataTree
        The sorting with ``track`` in ``/units``. :func:`xephys.save_sorting` keeps it, and :func:`xephys.export_phy`
        writes it as a column of phy. The log says from which session it is.

    Raises
    ------
    ParameterError
        If the tracks have no such session, or the sorting has other units than it.

    Examples
    --------
    >>> from xephys import track_units
    >>> from xephys.sorting import build_sorting
    >>> from xephys.testing import simulate_recording
    >>> recording, _ = simulate_recording(duration_s=2.0, n_channels=8, n_units=2)
    >>> waveforms = np.zeros((2, 30, 8)); waveforms[[0, 1], 10, [1, 6]] = -80.0
    >>> spikes = {"sample_index": [3_000, 9_000], "unit_index": [0, 1]}
    >>> sorting = build_sorting(recording, spikes=spikes, units={}, unit_ids=[4, 7], templates=waveforms, nbefore=10)
    >>> tracks = track_units([sorting, sorting], names=["monday", "tuesday"])
    >>> label_tracks(sorting, tracks, "tuesday")["units"]["track"].dims
    ('unit',)
    """
    tree, number = validate_sorting(sorting), track_numbers(tracks)
    names = [str(name) for name in tracks.attrs["sessions"]]
    if str(session) not in names:
        raise ParameterError(f"the tracks have no session {session!r}; give one of {names}")
    units = tracks["units"].to_dataset()
    own = np.flatnonzero(units["session"].values == names.index(str(session)))
    own = own[np.argsort(units["row"].values[own])]
    if units["unit_id"].values[own].tolist() != [str(name) for name in unit_ids_of(tree).tolist()]:
        raise ParameterError(
            f"the sorting has other units than session {str(session)!r} of the tracks; give the sorting that was "
            "tracked, or track it again"
        )
    nodes = nodes_of(tree)
    attributes = {"long_name": "number of the track over sessions"}
    nodes["units"] = nodes["units"].assign(track=("unit", number[own], attributes))
    return logged_tree(nodes, tree, {"step": "label_tracks", "session": str(session)})
