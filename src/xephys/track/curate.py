"""Correct tracks by hand: merge, split and reject with a reason; every correction is logged and can be undone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..errors import ParameterError
from .track import of_tracks


def merge_tracks(
    tracks: xr.DataTree, first: int, second: int, *, reason: str = "", same_session: bool = False
) -> xr.DataTree:
    """Join two tracks; the result has the lower of their two numbers.

    Parameters
    ----------
    tracks
        From :func:`xephys.track_units`.
    first, second
        Numbers of the tracks.
    reason
        Kept in the log.
    same_session
        Accept that both have a unit of the same session, as parts of one neuron have.

    Raises
    ------
    ParameterError
        If a track does not exist or is given twice, or if both have a unit of the same session.

    Examples
    --------
    >>> from xephys import track_units
    >>> from xephys.testing import simulate_sessions
    >>> tracks = track_units(simulate_sessions(n_sessions=2, n_neurons=10, n_channels=32, disjoint=True, seed=0)[0])
    >>> last = int(tracks["units"]["track"][-1])
    >>> merge_tracks(tracks, 0, last, reason="same response")["units"]["track"].values[[0, -1]].tolist()
    [0, 0]
    """
    if first == second:
        raise ParameterError(f"both tracks are {first}; give two different ones")
    track, session = track_numbers(tracks), np.asarray(tracks["units"]["session"])
    kept, gone = sorted((int(first), int(second)))
    rows = _units_of(track, gone)
    common = np.intersect1d(session[_units_of(track, kept)], session[rows])
    if len(common) and not same_session:
        names = ", ".join(repr(str(tracks.attrs["sessions"][k])) for k in common)
        raise ParameterError(
            f"tracks {kept} and {gone} both have a unit of session {names}; split one of them first, or give "
            "same_session=True if the units are parts of one neuron"
        )
    track[rows] = kept
    entry = {"action": "merge", "track": kept, "other": gone, "units": rows.tolist(), "reason": reason}
    return _changed(tracks, track, [*log_of(tracks), entry])


def split_track(tracks: xr.DataTree, track: int, units: Sequence[int], *, reason: str = "") -> xr.DataTree:
    """Split some units off a track.

    Each part has the number of its first unit, so the part with the first unit keeps the number of the track.

    Parameters
    ----------
    tracks
        From :func:`xephys.track_units`.
    track
        Number of the track.
    units
        Rows of ``/units`` that become a track of their own.
    reason
        Kept in the log.

    Raises
    ------
    ParameterError
        If the track does not exist, or if the units are not some, but not all, of its units.

    Examples
    --------
    >>> from xephys import track_units
    >>> from xephys.testing import simulate_sessions
    >>> tracks = track_units(simulate_sessions(n_sessions=2, n_neurons=10, n_channels=32, dropout=0, seed=0)[0])
    >>> rows = [row for row, number in enumerate(tracks["units"]["track"].values) if number == 0]
    >>> split = split_track(tracks, 0, rows[1:], reason="another waveform")
    >>> split["units"]["track"].values[rows].tolist() == rows
    True
    """
    number = track_numbers(tracks)
    own = _units_of(number, track)
    moved = np.unique(np.asarray(units, np.int64))
    if not len(moved) or len(moved) == len(own) or not np.isin(moved, own).all():
        raise ParameterError(
            f"track {track} has the units {own.tolist()}, and {moved.tolist()} were to be split off; give some, but "
            "not all, of its units"
        )
    if own[0] in moved:
        moved = np.setdiff1d(own, moved)
    number[moved] = moved[0]
    entry = {
        "action": "split", "track": int(track), "other": int(moved[0]), "units": moved.tolist(), "reason": reason
    }  # fmt: skip
    return _changed(tracks, number, [*log_of(tracks), entry])


def reject_track(tracks: xr.DataTree, track: int, *, reason: str = "") -> xr.DataTree:
    """Mark a track as rejected; its units and its number remain, and ``/tracks`` says so in ``rejected``.

    Parameters
    ----------
    tracks
        From :func:`xephys.track_units`.
    track
        Number of the track.
    reason
        Kept in the log.

    Raises
    ------
    ParameterError
        If the track does not exist.

    Examples
    --------
    >>> from xephys import track_units
    >>> from xephys.testing import simulate_sessions
    >>> tracks = track_units(simulate_sessions(n_sessions=2, n_neurons=10, n_channels=32, seed=0)[0])
    >>> rejected = reject_track(tracks, 0, reason="an artifact")
    >>> bool(rejected["tracks"]["rejected"].sel(track=0)), log_of(rejected)[0]["reason"]
    (True, 'an artifact')
    """
    number = track_numbers(tracks)
    _units_of(number, track)
    entry = {"action": "reject", "track": int(track), "reason": reason}
    return _changed(tracks, number, [*log_of(tracks), entry])


def undo_track_curation(tracks: xr.DataTree) -> xr.DataTree:
    """Take the last correction back and drop it from the log.

    Units of a session that was added after a merge stay in the track that they joined.

    Parameters
    ----------
    tracks
        Tracks that were corrected by hand.

    Raises
    ------
    ParameterError
        If there is no correction.

    Examples
    --------
    >>> from xephys import track_units
    >>> from xephys.testing import simulate_sessions
    >>> tracks = track_units(simulate_sessions(n_sessions=2, n_neurons=10, n_channels=32, seed=0)[0])
    >>> undo_track_curation(reject_track(tracks, 0)).identical(tracks)
    True
    """
    log = log_of(tracks)
    if not log:
        raise ParameterError("no correction is logged; there is nothing to undo")
    number, last = track_numbers(tracks), log[-1]
    if last["action"] == "merge":
        number[last["units"]] = last["other"]
    elif last["action"] == "split":
        number[number == last["other"]] = last["track"]
    return _changed(tracks, number, log[:-1])


def log_of(tracks: xr.DataTree) -> list[dict[str, Any]]:
    """The corrections that were made, the first one first."""
    return list(json.loads(tracks.attrs.get("curation", "[]")))


def with_log(tracks: xr.DataTree, log: list[dict[str, Any]]) -> xr.DataTree:
    """Tracks with a log, and with the tracks marked that it rejects."""
    if not log:
        return tracks
    gone = [entry["track"] for entry in log if entry["action"] == "reject"]
    table = tracks["tracks"].to_dataset()
    rejected = np.isin(table["track"].values, gone)
    nodes = {name: node.to_dataset() for name, node in tracks.children.items()}
    tree = xr.DataTree.from_dict(nodes | {"tracks": table.assign(rejected=("track", rejected))})
    tree.attrs |= tracks.attrs | {"curation": json.dumps(log)}
    return tree


def track_numbers(tracks: xr.DataTree) -> NDArray[np.int64]:
    """The track of each unit.

    Raises
    ------
    TypeError
        If these are not tracks.
    """
    if not isinstance(tracks, xr.DataTree) or "tracks" not in tracks.children:
        raise TypeError(f"expected tracks (xarray.DataTree of track_units), got {type(tracks).__name__}")
    return np.array(tracks["units"]["track"], np.int64)


def _units_of(number: NDArray[np.int64], track: int) -> NDArray[np.int64]:
    rows = np.flatnonzero(number == track)
    if not len(rows):
        raise ParameterError(f"there is no track {track}; the numbers are in tracks['tracks']['track']")
    return rows


def _changed(tracks: xr.DataTree, number: NDArray[np.int64], log: list[dict[str, Any]]) -> xr.DataTree:
    """Tracks with other numbers of their units, and with a log."""
    units = tracks["units"].to_dataset()
    table = of_tracks(number, np.asarray(units["session"]), tracks["pairs"].to_dataset())
    nodes = {name: node.to_dataset() for name, node in tracks.children.items()}
    tree = xr.DataTree.from_dict(nodes | {"units": units.assign(track=("unit", number)), "tracks": table})
    tree.attrs |= {key: value for key, value in tracks.attrs.items() if key != "curation"}
    return with_log(tree, log)
