"""Adding a session keeps the numbers of all tracks, and finds the neurons that tracking all sessions finds."""

import numpy as np
import pytest
import xarray as xr

from xephys import add_session, track_units
from xephys.errors import ParameterError
from xephys.testing import simulate_sessions
from xephys.track import motion

from .test_track import outcome


@pytest.fixture(scope="module")
def known():
    sessions, truth = simulate_sessions(n_sessions=5, n_neurons=40, oversplits=0.03, seed=4)
    return sessions, truth, track_units(sessions[:4])


def test_numbers_of_tracks_are_kept_and_neurons_found(known):
    sessions, truth, tracks = known
    after = add_session(tracks, sessions[4], name="friday")
    n = tracks["units"].sizes["unit"]
    np.testing.assert_array_equal(after["units"]["track"][:n], tracks["units"]["track"])
    precision, recall, _, _ = outcome(after, truth)
    assert precision >= 0.98 and recall >= 0.96
    whole = track_units(sessions)["motion"]["displacement_um"].values
    own = after["motion"]["displacement_um"].values
    np.testing.assert_allclose(own[0] - own[0, 0], whole[0] - whole[0, 0], atol=1.0)
    assert after.attrs["sessions"] == ["0", "1", "2", "3", "friday"]


def test_two_sessions_are_added_one_after_the_other(known):
    sessions, truth, _ = known
    tracks = add_session(add_session(track_units(sessions[:3]), sessions[3]), sessions[4])
    assert outcome(tracks, truth)[1] >= 0.95


def test_tracks_may_begin_with_one_session_or_with_sessions_that_share_nothing(known):
    """What cannot be learned from these is learned as soon as a session shares neurons with one of them."""
    sessions, truth, _ = known
    alone = add_session(add_session(track_units(sessions[:1]), sessions[1]), sessions[2])
    assert alone["motion"]["known"].all()
    precision, recall, _, _ = outcome(alone, truth)
    assert precision >= 0.98 and recall >= 0.95
    foreign = simulate_sessions(n_sessions=1, n_neurons=40, seed=90)[0][0]
    apart = track_units([foreign, sessions[0]])
    after = add_session(apart, sessions[1])
    n = apart["units"].sizes["unit"]
    assert (after["units"]["track"].values[:n] == apart["units"]["track"].values).all()
    own = after["units"]["track"].values[after["units"]["session"].values == 2]
    assert np.isin(own, apart["units"]["track"].values[foreign.sizes["unit"] : n]).mean() > 0.6


def test_the_latest_sessions_tell_the_displacement_and_others_only_where_these_do_not(monkeypatch):
    """The last two of four sessions are of other tissue; one is added to either of them or to none."""
    searched, plain = [], motion.session_matches

    def recorded(blocks, **keywords):
        searched.append(sorted(blocks[0]))
        return plain(blocks, **keywords)

    first, truth = simulate_sessions(n_sessions=3, n_neurons=40, dropout=0.1, seed=4)
    second, other = simulate_sessions(n_sessions=3, n_neurons=40, dropout=0.1, seed=5)
    tracks = track_units([*first[:2], *second[:2]])
    assert tracks["motion"]["known"].all()
    monkeypatch.setattr(motion, "session_matches", recorded)
    monkeypatch.setattr(motion, "N_LATEST", 2)
    for session, start, shift_um, expected in (
        (second[2], 2, other.shift_um, [[2, 3, 4]]),
        (first[2], 0, truth.shift_um, [[2, 3, 4], [0, 1, 4]]),
    ):
        searched.clear()
        found = add_session(tracks, session)["motion"].to_dataset()
        assert searched == expected and found["known"].values[0, 4]
        moved = found["displacement_um"].values[0, 4] - found["displacement_um"].values[0, start]
        np.testing.assert_allclose(moved, shift_um[2] - shift_um[0], atol=1.0)
        assert found["group"].values.tolist() == [[0, 0, 2, 2, start]]
    searched.clear()
    stranger = simulate_sessions(n_sessions=1, n_neurons=40, seed=6)[0][0]
    found = add_session(tracks, stranger)["motion"].to_dataset()
    assert searched == [[2, 3, 4], [0, 1, 4], [0, 1, 2, 3, 4]]
    assert not found["known"].values[0, 4] and found["group"].values[0, 4] == 4


def test_bad_input_is_refused(known):
    sessions, _, tracks = known
    with pytest.raises(ParameterError, match="have a session '0' already"):
        add_session(tracks, sessions[4], name="0")
    with pytest.raises(ParameterError, match="session 'empty' has no unit"):
        add_session(tracks, sessions[4].isel(unit=[]), name="empty")
    with pytest.raises(TypeError, match="expected tracks"):
        add_session(tracks["units"], sessions[4])
    with pytest.raises(ParameterError, match="another kind"):
        other = simulate_sessions(n_sessions=1, n_neurons=10, probe="linear", n_channels=32, seed=0)[0][0]
        add_session(tracks, other)


def test_tracks_of_an_earlier_version_take_sessions(known):
    """They lack what their templates leave open, the noise of these, and how exact locations are."""
    sessions, _, tracks = known
    nodes = tracks.to_dict() | {
        "/footprints": tracks["footprints"].to_dataset().drop_vars(["surprise", "noise"]),
        "/model": tracks["model"].to_dataset().drop_vars("scale_um"),
    }
    older = xr.DataTree.from_dict(nodes)
    older.attrs |= tracks.attrs
    after = add_session(older, sessions[4], name="last")["units"]
    n = tracks["units"].sizes["unit"]
    assert np.isin(after["track"].values[n:], tracks["units"]["track"].values).mean() > 0.5
