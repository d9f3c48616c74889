"""Save tracks of neurons over sessions as one Zarr store, which is either complete or absent."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from ...errors import ParameterError
from ...typing import PathLike
from .atomic import whole_or_absent

#: Nodes that every tree of tracks has.
NODES = ("units", "pairs", "tracks", "motion", "model", "footprints", "splits")


def save_tracks(tracks: xr.DataTree, path: PathLike, *, overwrite: bool = False) -> None:
    """Save the result of :func:`xephys.track_units` as one Zarr store.

    Parameters
    ----------
    tracks
    path
        The Zarr store to write.
    overwrite
        Replace an existing store once the new one is complete.

    Raises
    ------
    OutputError
        If the path exists, or there is not enough space; no partial output is left.
    ParameterError
        If the tree holds no tracks.

    Examples
    --------
    >>> import tempfile
    >>> from xephys import track_units
    >>> from xephys.testing import simulate_sessions
    >>> tracks = track_units(simulate_sessions(n_sessions=2, n_neurons=10, n_channels=32, seed=0)[0])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_tracks(tracks, folder + "/tracks.zarr")
    ...     open_tracks(folder + "/tracks.zarr").attrs["sessions"]
    ['0', '1']
    """
    checked(tracks)
    n_bytes = sum(variable.nbytes for node in tracks.subtree for variable in node.variables.values())
    with whole_or_absent(path, overwrite=overwrite, n_bytes=n_bytes // 4) as hidden:
        tracks.to_zarr(str(hidden), mode="w-", consolidated=False)


def open_tracks(path: PathLike) -> xr.DataTree:
    """Open tracks that :func:`save_tracks` or ``xephys track`` wrote.

    Parameters
    ----------
    path
        The Zarr store, or the folder that ``xephys track`` made.

    Raises
    ------
    FileNotFoundError
        If the path does not exist.
    ParameterError
        If there are no tracks at the path.
    """
    folder = Path(path)
    if (folder / "tracks.zarr").is_dir():
        folder = folder / "tracks.zarr"
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} does not exist; give a folder that save_tracks or xephys track wrote")
    if not any((folder / mark).is_file() for mark in ("zarr.json", ".zgroup")):
        raise ParameterError(f"{folder} is not a Zarr store; give a folder that save_tracks or xephys track wrote")
    return checked(xr.open_datatree(str(folder), engine="zarr", consolidated=False).load())


def checked(tracks: xr.DataTree) -> xr.DataTree:
    """Return the tree if it holds tracks."""
    missing = [name for name in NODES if name not in tracks.children]
    if missing:
        raise ParameterError(f"the tree has no node {missing[0]!r}; tracks come from track_units or open_tracks")
    return tracks
