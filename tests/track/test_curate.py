"""Corrections by hand: tables follow, reasons stay, every correction can be undone, and sessions can still be added."""

import numpy as np
import pytest

from xephys import (
    add_session,
    merge_tracks,
    open_tracks,
    reject_track,
    save_tracks,
    split_track,
    track_units,
    undo_track_curation,
)
from xephys.errors import ParameterError
from xephys.testing import simulate_sessions
from xephys.track.curate import log_of


@pytest.fixture(scope="module")
def sessions():
    return simulate_sessions(n_sessions=4, n_neurons=15, n_channels=64, dropout=0.0, seed=3)[0]


@pytest.fixture(scope="module")
def tracks(sessions):
    return track_units(sessions[:3])


def rows_of(tracks, number):
    return np.flatnonzero(tracks["units"]["track"].values == number)


@pytest.mark.parametrize("which", [slice(1, None), slice(0, 1)], ids=["later units", "the first unit"])
def test_a_split_keeps_numbers_of_first_units_and_is_undone_and_merged_back(tracks, which):
    rows = rows_of(tracks, 0)
    split = split_track(tracks, 0, rows[which], reason="another waveform")
    assert split["units"]["track"].values[rows].tolist() == [0, rows[1], rows[1]]
    table = split["tracks"].to_dataset()
    assert table["n_units"].sel(track=[0, rows[1]]).values.tolist() == [1, 2]
    assert log_of(split)[0]["reason"] == "another waveform" and not log_of(tracks)
    assert undo_track_curation(split).identical(tracks)
    merged = merge_tracks(split, int(rows[1]), 0)
    assert merged["units"].identical(tracks["units"])
    assert undo_track_curation(merged).identical(split)


def test_corrections_survive_a_store_and_a_session_that_is_added(sessions, tracks, tmp_path):
    rows = rows_of(tracks, 0)
    changed = reject_track(split_track(tracks, 0, rows[2:]), 1, reason="an artifact")
    save_tracks(changed, tmp_path / "tracks.zarr")
    stored = open_tracks(tmp_path / "tracks.zarr")
    assert log_of(stored) == log_of(changed)
    after = add_session(stored, sessions[3])
    n = changed["units"].sizes["unit"]
    np.testing.assert_array_equal(after["units"]["track"][:n], changed["units"]["track"])
    assert after["tracks"]["track"][after["tracks"]["rejected"]].values.tolist() == [1]
    whole = undo_track_curation(undo_track_curation(after))
    assert set(rows) <= set(rows_of(whole, 0)) and not log_of(whole) and "rejected" not in whole["tracks"]
    assert set(whole["units"]["track"].values) == set(whole["tracks"]["track"].values)


def test_two_units_of_a_session_are_merged_only_on_demand(tracks):
    with pytest.raises(ParameterError, match="same_session=True"):
        merge_tracks(tracks, 0, 1)
    both = merge_tracks(tracks, 0, 1, same_session=True)
    assert int(both["tracks"]["n_units"].sel(track=0)) == 6 and 1 not in both["tracks"]["track"]


def test_bad_input(tracks):
    with pytest.raises(ParameterError, match="both tracks are 0"):
        merge_tracks(tracks, 0, 0)
    with pytest.raises(ParameterError, match="no track 999"):
        reject_track(tracks, 999)
    for units in ([], rows_of(tracks, 0), [1]):
        with pytest.raises(ParameterError, match="some, but not all"):
            split_track(tracks, 0, units)
    with pytest.raises(ParameterError, match="nothing to undo"):
        undo_track_curation(tracks)
    with pytest.raises(TypeError, match="expected tracks"):
        reject_track(tracks["units"], 0)
