"""Displacements of sessions by every model, for an added session, and for one that shares no neuron."""

import numpy as np
import pytest

from xephys import add_session, track_units
from xephys.testing import simulate_sessions
from xephys.track.motion import knots_of


@pytest.mark.parametrize(("model", "n"), [("rigid", 1), ("linear", 2), ("smooth", 5)])
def test_each_model_has_its_number_of_knots(model, n):
    knots = knots_of(np.array([0.0, 2000.0]), model)
    assert len(knots) == n and (np.diff(knots) > 0).all()


@pytest.mark.parametrize("model", ["rigid", "linear", "smooth"])
@pytest.mark.parametrize("seed", [31, 32])
def test_every_model_finds_a_rigid_shift(model, seed):
    sessions, truth = simulate_sessions(n_channels=192, n_neurons=80, seed=seed)
    motion = track_units(sessions, motion_model=model)["motion"].to_dataset()
    moved = motion["displacement_um"].values[0]
    assert motion["known"].all()
    assert np.abs(moved - (truth.shift_um - truth.shift_um.mean())[:, None]).max() < 1.5


def test_few_shared_neurons_are_enough():
    """Four of five neurons are replaced from one session to the next."""
    sessions, truth = simulate_sessions(turnover=0.8, n_neurons=60, seed=3204)
    motion = track_units(sessions, motion_model="rigid")["motion"].to_dataset()
    known = motion["known"].values[0]
    assert known.sum() >= 3
    moved, true = motion["displacement_um"].values[0, known, 0], truth.shift_um[known]
    np.testing.assert_allclose(moved - moved.mean(), true - true.mean(), atol=1.0)


def test_a_session_without_shared_neurons_is_unknown_and_has_no_influence():
    sessions, truth = simulate_sessions(n_sessions=4, seed=33)
    stranger = simulate_sessions(n_sessions=1, seed=99)[0][0]
    motion = track_units([*sessions, stranger], motion_model="rigid")["motion"].to_dataset()
    assert motion["known"].values[0].tolist() == [True] * 4 + [False]
    moved = motion["displacement_um"].values[0, :4, 0]
    np.testing.assert_allclose(moved - moved.mean(), truth.shift_um - truth.shift_um.mean(), atol=0.5)
    added = add_session(track_units(sessions), stranger)
    assert not added["motion"]["known"].values[0, 4] and not added["motion"]["displacement_um"].values[0, 4].any()
