"""Export tracks as tables and arrays that other tools read: units, pairs, labels of clusters, files of DANT."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from ...track.dant.folder import pairs_of, save
from ...typing import PathLike
from ..store.atomic import whole_or_absent
from ..store.tracks import checked


def export_tracks(tracks: xr.DataTree, folder: PathLike, *, overwrite: bool = False) -> None:
    """Export tracks as tables of text, and as arrays of DANT.

    Parameters
    ----------
    tracks
        From :func:`xephys.track_units`.
    folder
        New folder. ``units.csv`` has one row per unit with its track, ``tracks.csv`` one per track, and
        ``match_table.csv`` one per pair of units of different sessions, with the columns ``RecSes1``, ``ID1``,
        ``RecSes2``, ``ID2``, ``UID1``, ``UID2`` and ``MatchProb`` as UnitMatch names them (sessions count from 1).
        ``SESSION/cluster_track.tsv`` labels the clusters of a session; copied into the phy folder that was tracked, it
        is a column of phy (for other sortings, see :func:`xephys.label_tracks`). Folders of sessions have their
        position and name, such as ``0_monday``. ``dant`` has ``IdxCluster.npy`` (tracks of several units that are not
        rejected, from 1 on; -1 for other units), ``MatchedPairs.npy``, ``session_index.npy`` and ``locations.npy`` with
        the meaning that they have in DANT, in the order of ``units.csv``.
    overwrite
        Replace an existing folder once the new one is complete.

    Raises
    ------
    OutputError
        If the folder exists; no partial output is left.
    ParameterError
        If the tree holds no tracks.

    Examples
    --------
    >>> import tempfile
    >>> from xephys import track_units
    >>> from xephys.testing import simulate_sessions
    >>> tracks = track_units(simulate_sessions(n_sessions=2, n_neurons=10, n_channels=32, seed=0)[0])
    >>> with tempfile.TemporaryDirectory() as parent:
    ...     export_tracks(tracks, parent + "/tables")
    ...     sorted(path.name for path in Path(parent, "tables").iterdir())
    ['0_0', '1_1', 'dant', 'match_table.csv', 'tracks.csv', 'units.csv']
    """
    import pandas as pd

    checked(tracks)
    names = [str(name) for name in tracks.attrs["sessions"]]
    units, pairs = tracks["units"].to_dataset().to_dataframe(), tracks["pairs"].to_dataset()
    matches = pd.DataFrame({"MatchProb": pairs["probability"].values})
    for number, side in enumerate(("first", "second"), start=1):
        of_pair = units.iloc[pairs[side].values]
        matches[f"RecSes{number}"] = of_pair["session"].to_numpy() + 1
        matches[f"ID{number}"] = of_pair["unit_id"].to_numpy()
        matches[f"UID{number}"] = of_pair["track"].to_numpy()
    columns = ["RecSes1", "ID1", "RecSes2", "ID2", "UID1", "UID2", "MatchProb"]
    with whole_or_absent(folder, overwrite=overwrite) as hidden:
        hidden.mkdir()
        units.assign(session=[names[k] for k in units["session"]]).to_csv(hidden / "units.csv", index=False)
        tracks["tracks"].to_dataset().to_dataframe().to_csv(hidden / "tracks.csv")
        matches[columns].to_csv(hidden / "match_table.csv", index=False)
        for number, name in enumerate(names):
            own = units[units["session"] == number]
            labels = pd.DataFrame({"cluster_id": own["unit_id"], "track": own["track"]})
            room = hidden / f"{number}_{Path(name).name}"
            room.mkdir()
            labels.to_csv(room / "cluster_track.tsv", sep="\t", index=False)
        _write_dant(tracks, hidden / "dant")


def _write_dant(tracks: xr.DataTree, folder: Path) -> None:
    """Tracks as clusters, and what DANT's programs need beside them."""
    units, table = tracks["units"].to_dataset(), tracks["tracks"].to_dataset()
    chosen = table["n_units"].values > 1
    if "rejected" in table:
        chosen &= ~table["rejected"].values
    cluster = np.where(chosen, np.cumsum(chosen), -1)
    label = cluster[np.searchsorted(table["track"].values, units["track"].values)]
    folder.mkdir()
    save(
        folder,
        IdxCluster=label,
        MatchedPairs=pairs_of(label),
        session_index=units["session"].values + 1,
        locations=np.column_stack([units[axis].values for axis in "xyz"]),
    )
