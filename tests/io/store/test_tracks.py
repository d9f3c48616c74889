"""Tracks come back as they were saved, and a session can be added to them."""

import pytest
import xarray as xr

from xephys import add_session, open_tracks, save_tracks, track_units
from xephys.errors import OutputError, ParameterError
from xephys.testing import simulate_sessions


@pytest.fixture(scope="module")
def sessions():
    return simulate_sessions(n_sessions=3, n_neurons=12, n_channels=64, seed=0)[0]


def test_there_and_back(sessions, tmp_path):
    tracks = track_units(sessions[:2], names=["monday", "tuesday"])
    save_tracks(tracks, tmp_path / "tracks.zarr")
    again = open_tracks(tmp_path / "tracks.zarr")
    assert again.identical(tracks)
    assert add_session(again, sessions[2]).identical(add_session(tracks, sessions[2]))
    with pytest.raises(OutputError, match="exists already"):
        save_tracks(tracks, tmp_path / "tracks.zarr")


def test_a_store_without_tracks_is_refused(sessions, tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        open_tracks(tmp_path / "nothing")
    with pytest.raises(ParameterError, match="not a Zarr store"):
        open_tracks(tmp_path)
    xr.DataTree(xr.Dataset({"a": 1})).to_zarr(tmp_path / "other.zarr", consolidated=False)
    with pytest.raises(ParameterError, match="no node 'units'"):
        open_tracks(tmp_path / "other.zarr")
    with pytest.raises(ParameterError, match="come from track_units"):
        save_tracks(xr.DataTree(), tmp_path / "new.zarr")
