"""The table of all units, with the session and shank of each."""

import numpy as np
import pytest

from xephys.errors import ParameterError
from xephys.testing import simulate_sessions
from xephys.track.pairs import gather, session_blocks, session_matches, session_pairs
from xephys.track.units import on_axis_of, session_units


def table(sessions):
    tables = [session_units(session) for session in sessions]
    return gather([on_axis_of(t, tables[0].attrs, tables[0].sizes["sample"]) for t in tables])


def test_rows_lead_back_to_the_units():
    sessions, _ = simulate_sessions(n_sessions=3, n_neurons=12, n_channels=64, seed=0)
    units = table(sessions)
    for number, session in enumerate(sessions):
        here = units["session"].values == number
        assert units["unit_id"].values[here].tolist() == [str(i) for i in session["unit_id"].values]
        assert units["row"].values[here].tolist() == list(range(session.sizes["unit"]))


def test_pairs_within_and_between_sessions():
    sessions, _ = simulate_sessions(n_sessions=3, n_neurons=20, n_channels=64, seed=0)
    units = table(sessions)
    x, depth = units["place"].values[:, :2].T
    every = session_pairs(session_blocks(units, depth, x), distance_max_um=60.0)
    new = session_pairs(session_blocks(units, depth, x), distance_max_um=60.0, first=2)
    session = units["session"].values
    assert (session[every.first] <= session[every.second]).all()
    assert (session[new.second] == 2).all() and len(new.first) == (session[every.second] == 2).sum()
    matches, share = session_matches(session_blocks(units, depth, x), distance_max_um=60.0)
    assert (session[matches.first] < session[matches.second]).all() and len(share) == len(matches.first) > 10
    assert share.min() >= 0.05 and share.max() <= 1.0
    displaced = session_pairs(session_blocks(units, depth, x), distance_max_um=60.0, between=(0, 1), displaced_um=150.0)
    moved = depth[displaced.second] - depth[displaced.first]
    assert len(moved) > 0 and (np.abs(moved + 150.0) <= 60.0).all()
    some = [
        session_pairs(session_blocks(units, depth, x), distance_max_um=60.0, between=(a, b))
        for a in range(3)
        for b in range(a, 3)
    ]
    assert sum(len(found.first) for found in some) == len(every.first)
    assert (session[some[2].first] == 0).all() and (session[some[2].second] == 2).all()
    none = session_pairs(session_blocks(units, depth, x), distance_max_um=60.0, odds=np.array([0.0] * 7 + [-30.0]))
    assert not len(none.first)


def test_no_units_are_accepted_and_mixed_probes_refused():
    sessions, _ = simulate_sessions(n_sessions=1, n_neurons=12, n_channels=64, seed=0)
    with pytest.raises(ParameterError, match="no session has a unit"):
        table([sessions[0].isel(unit=slice(0, 0))])
    linear, _ = simulate_sessions(n_sessions=1, n_neurons=12, n_channels=64, probe="linear", seed=0)
    with pytest.raises(ParameterError, match="are mixed"):
        table([sessions[0], linear[0]])
    assert np.isfinite(table(sessions)["footprint"].values).all()
