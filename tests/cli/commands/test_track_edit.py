"""Tracks are corrected and exported from the shell, and wrong numbers are refused."""

import json

import pytest

import xephys
from xephys.testing import simulate_sessions

from ...support.command_line import refused, run


@pytest.fixture(scope="module")
def tracks(tmp_path_factory):
    sessions, _ = simulate_sessions(n_sessions=2, n_neurons=8, n_channels=32, seed=1)
    folder = tmp_path_factory.mktemp("tracked") / "tracks"
    folder.mkdir()
    xephys.save_tracks(xephys.track_units(sessions), folder / "tracks.zarr")
    return folder


def test_corrections_are_made_logged_and_taken_back(tracks, tmp_path):
    before = xephys.open_tracks(tracks)
    table = before["tracks"].to_dataset()
    track = int(table["track"].values[table["n_units"].values > 1][0])
    row = int((before["units"]["track"].values == track).nonzero()[0][-1])
    alone = int(table["track"].values[-1])
    made = run("track-curate", tracks, "--out", tmp_path / "a", "--split", f"{track}:{row}", "--reject", alone,
               "--reason", "seen by eye")  # fmt: skip
    assert "tracks over several" in made.stdout
    after = xephys.open_tracks(tmp_path / "a")
    assert after["units"]["track"].values[row] == row != track
    log = json.loads(after.attrs["curation"])
    assert [entry["action"] for entry in log] == ["split", "reject"] and log[0]["reason"] == "seen by eye"
    run("track-curate", tmp_path / "a", "--out", tmp_path / "b", "--undo", 1, "--merge", f"{track},{row}")
    back = xephys.open_tracks(tmp_path / "b")
    assert (back["units"]["track"].values == before["units"]["track"].values).all()
    run("track-export", tmp_path / "b", "--out", tmp_path / "tables")
    assert (tmp_path / "tables" / "match_table.csv").exists()


def test_pages_are_written_with_the_sortings(sorted_folder, tmp_path):
    run("track", sorted_folder, "--out", tmp_path / "tracks")
    run("track-export", tmp_path / "tracks", "--out", tmp_path / "pages", "--session", sorted_folder)
    assert "<table>" in (tmp_path / "pages" / "index.html").read_text()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--merge", "1"), "give 2 separated by commas"),
        (("--merge", "1,x"), "give 2 separated by commas"),
        (("--split", "1"), "give numbers separated by commas"),
        (("--reject", "999"), "there is no track 999"),
        (("--undo", "1"), "no correction"),
    ],
)
def test_wrong_numbers_are_refused(tracks, tmp_path, option, message):
    assert message in refused("track-curate", tracks, "--out", tmp_path / "c", *option, status=2)
    assert not (tmp_path / "c").exists()
