"""Survival counts tracks over pairs of sessions, as a loop over them does."""

import numpy as np
import pytest

from xephys import reject_track, track_survival, track_units
from xephys.testing import simulate_sessions


@pytest.mark.parametrize("is_rejected", [False, True])
def test_shares_are_those_of_a_loop(is_rejected):
    sessions, _ = simulate_sessions(n_sessions=4, n_neurons=20, n_channels=64, dropout=0.3, turnover=0.2, seed=5)
    tracks = track_units(sessions)
    if is_rejected:
        tracks = reject_track(tracks, 0)
    members = [set() for _ in range(4)]
    for session, track in zip(tracks["units"]["session"].values, tracks["units"]["track"].values, strict=True):
        if not (is_rejected and track == 0):
            members[session].add(track)
    survival = track_survival(tracks)
    for gap in range(4):
        of = sum(len(members[s]) for s in range(4 - gap))
        found = sum(len(members[s] & members[s + gap]) for s in range(4 - gap))
        assert int(survival["n_tracks"][gap]) == of
        np.testing.assert_allclose(float(survival["share"][gap]), found / of)
    assert (survival["share"][1:] < 1).all()
