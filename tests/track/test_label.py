"""Tracks come back as a column of the sortings that were tracked, also where their units have names of their own."""

import json

import numpy as np
import pytest

import xephys
from xephys import export_phy, label_tracks, open_sorting, save_sorting, select_units, track_units
from xephys.errors import ParameterError
from xephys.sorting import build_sorting
from xephys.testing import simulate_recording, simulate_sessions


@pytest.fixture(scope="module")
def tracked():
    """Two sortings with names of units that are not their positions, and their tracks."""
    sessions, _ = simulate_sessions(n_sessions=2, n_neurons=12, n_channels=32, seed=0)
    recording, _ = simulate_recording(duration_s=2.0, n_channels=32, n_units=1, seed=0)
    sortings = []
    for session in sessions:
        n_units = session.sizes["unit"]
        spikes = {"sample_index": 100 * np.arange(3 * n_units), "unit_index": np.arange(3 * n_units) % n_units}
        recording = recording.assign_coords(x=("channel", session["x"].values), y=("channel", session["y"].values))
        sortings.append(
            build_sorting(
                recording, spikes=spikes, units={}, unit_ids=5 + 3 * np.arange(n_units),
                templates=session["templates"].values, nbefore=16,
            )
        )  # fmt: skip
    return sortings, track_units(sortings, names=["monday", "2"])


@pytest.mark.parametrize(("number", "name"), [(0, "monday"), (1, 2)])
def test_every_unit_gets_its_track_which_stores_and_phy_keep(tracked, tmp_path, number, name):
    sortings, tracks = tracked
    units = tracks["units"].to_dataset()
    labelled = label_tracks(sortings[number], tracks, name)
    expected = units["track"].values[units["session"].values == number]
    assert labelled["units"]["track"].values.tolist() == expected.tolist()
    assert json.loads(labelled.attrs["log"])[-1] == {"step": "label_tracks", "session": str(name)}
    save_sorting(labelled, tmp_path / "sorting.zarr")
    assert open_sorting(tmp_path / "sorting.zarr")["units"]["track"].values.tolist() == expected.tolist()
    export_phy(labelled, tmp_path / "phy")
    rows = (tmp_path / "phy" / "cluster_track.tsv").read_text().split()[2:]
    assert rows[::2] == [str(k) for k in range(len(expected))] and rows[1::2] == [str(k) for k in expected]


def test_units_that_were_not_tracked_are_refused(tracked):
    sortings, tracks = tracked
    with pytest.raises(ParameterError, match=r"no session 'sunday'; give one of \['monday', '2'\]"):
        label_tracks(sortings[0], tracks, "sunday")
    fewer = select_units(sortings[0], sortings[0]["units"]["unit_id"].values[1:])
    for other in (sortings[1], fewer):
        with pytest.raises(ParameterError, match="other units than session 'monday'"):
            label_tracks(other, tracks, "monday")
    with pytest.raises(TypeError, match="expected tracks"):
        label_tracks(sortings[0], sortings[1], "monday")
    assert xephys.label_tracks is label_tracks
