"""Tables of tracks say what the tree says, in the columns of other tools."""

import csv

import numpy as np
import pytest

from xephys import export_tracks, reject_track, track_units
from xephys.errors import OutputError, ParameterError
from xephys.testing import simulate_sessions


@pytest.fixture(scope="module")
def tracks():
    sessions, _ = simulate_sessions(n_sessions=2, n_neurons=12, n_channels=32, seed=0)
    return track_units(sessions, names=["monday", "day/tuesday"])


def rows(path, delimiter=","):
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def test_tables_hold_units_pairs_and_labels(tracks, tmp_path):
    export_tracks(tracks, tmp_path / "tables")
    units = tracks["units"].to_dataset()
    table = rows(tmp_path / "tables" / "units.csv")
    assert [int(row["track"]) for row in table] == units["track"].values.tolist()
    assert {row["session"] for row in table} == {"monday", "day/tuesday"}
    pairs = tracks["pairs"].to_dataset()
    matches = rows(tmp_path / "tables" / "match_table.csv")
    assert len(matches) == pairs.sizes["pair"] > 0
    for side, column in (("first", "1"), ("second", "2")):
        own = units.isel(unit=pairs[side].values)
        assert [int(row["RecSes" + column]) for row in matches] == (own["session"].values + 1).tolist()
        assert [row["ID" + column] for row in matches] == own["unit_id"].values.tolist()
        assert [int(row["UID" + column]) for row in matches] == own["track"].values.tolist()
    np.testing.assert_allclose([float(row["MatchProb"]) for row in matches], pairs["probability"].values)
    for number, name in enumerate(("0_monday", "1_tuesday")):
        own = units.isel(unit=units["session"].values == number)
        labels = rows(tmp_path / "tables" / name / "cluster_track.tsv", delimiter="\t")
        expected = zip(own["unit_id"].values.tolist(), own["track"].values.tolist(), strict=True)
        assert [(row["cluster_id"], int(row["track"])) for row in labels] == list(expected)


def test_files_of_dant_have_the_tracks_of_several_units_as_clusters(tracks, tmp_path):
    several = tracks["tracks"]["track"].values[tracks["tracks"]["n_units"].values > 1]
    export_tracks(reject_track(tracks, int(several[1])), tmp_path / "tables")
    names = ("IdxCluster", "MatchedPairs", "session_index", "locations")
    label, matched, session, places = (np.load(tmp_path / "tables" / "dant" / f"{name}.npy") for name in names)
    units = tracks["units"].to_dataset()
    kept = np.setdiff1d(several, several[1])
    assert [units["track"].values[label == k + 1].tolist() for k in range(len(kept))] == [[one] * 2 for one in kept]
    assert label.max() == len(kept) and (label[~np.isin(units["track"].values, kept)] == -1).all()
    assert (label[matched[:, 0]] == label[matched[:, 1]]).all() and len(matched) == len(kept)
    assert (session == units["session"].values + 1).all() and (places[:, 1] == units["y"].values).all()


def test_what_exists_is_kept_and_what_is_no_tree_of_tracks_is_refused(tracks, tmp_path):
    export_tracks(tracks, tmp_path / "tables")
    with pytest.raises(OutputError):
        export_tracks(tracks, tmp_path / "tables")
    export_tracks(tracks, tmp_path / "tables", overwrite=True)
    with pytest.raises(ParameterError, match="has no node"):
        export_tracks(tracks.filter(lambda node: node.name != "pairs"), tmp_path / "other")
    assert not (tmp_path / "other").exists()
