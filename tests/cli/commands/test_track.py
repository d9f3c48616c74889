"""Neurons followed over sessions from the shell, and a session added later."""

import csv

import xephys

from ...support.command_line import refused, run


def test_a_sorting_is_tracked_to_itself_and_added_again(sorted_folder, tmp_path):
    first, second, third = (tmp_path / day for day in ("monday", "tuesday", "friday"))
    for place in (first, second, third):
        place.symlink_to(sorted_folder)
    text = run("track", first, second, "--out", tmp_path / "tracks").stdout
    assert "units of 2 sessions" in text
    rows = list(csv.DictReader((tmp_path / "tracks" / "units.csv").open()))
    n_units = len(rows) // 2
    assert [row["session"] for row in rows] == ["monday"] * n_units + ["tuesday"] * n_units
    # Every unit equals its partner; with enough units to be certain of it, both are on one track.
    partners = {(rows[k]["track"], rows[k + n_units]["track"]) for k in range(n_units)}
    assert all(a == b or int(b) >= n_units for a, b in partners)
    run("track-add", tmp_path / "tracks", third, "--out", tmp_path / "more")
    tracks = xephys.open_tracks(tmp_path / "more")
    assert tracks.attrs["sessions"] == ["monday", "tuesday", "friday"]
    assert [str(t) for t in tracks["units"]["track"].values[: 2 * n_units]] == [row["track"] for row in rows]
    assert "exists already" in refused("track", first, second, "--out", tmp_path / "tracks", status=4)


def test_wrong_input_is_refused(sorted_folder, tmp_path):
    said = refused("track", sorted_folder, "--out", tmp_path / "t", "--strictness", "liberl", status=2)
    assert "did you mean 'liberal'" in said
    assert not (tmp_path / "t").exists()
