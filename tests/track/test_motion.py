"""Displacements of sessions by every model, for an added session, and for one that shares no neuron."""

import numpy as np
import pytest

from xephys import add_session, track_units
from xephys.kernels.track.motion import Matches
from xephys.testing import simulate_sessions
from xephys.track import motion as session_motion
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


@pytest.mark.parametrize(("n_between", "expected"), [(0, [0, 0, 2, 2]), (4, [0, 0, 2, 2]), (5, [0, 0, 0, 0])])
def test_groups_need_more_than_one_coincidence_between_them(n_between, expected):
    """Four matches between two sessions and two others may be one pair of neurons that look alike."""
    within = [(a, b, depth, depth) for a, b in ((0, 1), (2, 3)) for depth in range(0, 1000, 100)]
    between = [(k % 2, 2 + k // 2 % 2, 500.0, 500.0 if k < n_between else 700.0 + 50 * k) for k in range(8)]
    a, b, low, high = (np.array(column) for column in zip(*within, *between, strict=True))
    some = Matches(a, b, low.astype(float), high.astype(float), np.ones(len(a)))
    found = session_motion._groups(some, np.zeros((4, 1)), np.zeros(1), np.ones(4, bool))
    assert found.tolist() == expected


@pytest.mark.parametrize("seed", [7, 1])
def test_sessions_of_two_animals_are_two_groups_that_share_no_track(seed):
    """Within each animal most neurons are found again. Between them, a displacement that suits chance is none."""
    made = [
        simulate_sessions(n_sessions=n, n_neurons=80, n_channels=192, seed=s) for s, n in ((seed, 2), (40 + seed, 3))
    ]
    sessions = [*made[0][0], *made[1][0]]
    whole = track_units(sessions)
    for tracks in (whole, add_session(track_units(sessions[:4]), sessions[4])):
        motion = tracks["motion"].to_dataset()
        assert motion["known"].all() and motion["group"].values.tolist() == [[0, 0, 2, 2, 2]]
        moved = motion["displacement_um"].values[0].mean(axis=1)
        for animal, (_, truth) in zip((slice(0, 2), slice(2, 5)), made, strict=True):
            np.testing.assert_allclose(np.diff(moved[animal]), np.diff(truth.shift_um), atol=1.0)
        units = tracks["units"].to_dataset()
        first = units["session"].values < 2
        track = units["track"].values
        assert not set(track[first]) & set(track[~first])
        assert len(set(track[first])) < 0.75 * first.sum()
    np.testing.assert_allclose(whole["motion"]["displacement_um"].values[0, 2:].mean(axis=0), 0.0, atol=1e-9)


def test_a_displacement_across_the_shank_is_found_and_taken_back():
    sessions, truth = simulate_sessions(n_sessions=4, shift_x_max_um=10.0, noise_uv=2.0, seed=5)
    whole, first = track_units(sessions), track_units(sessions[:3])
    for tracks in (whole, add_session(first, sessions[3])):
        moved = tracks["motion"]["displacement_x_um"].values[0]
        true = truth.shift_x_um
        np.testing.assert_allclose(moved - moved.mean(), true - true.mean(), atol=0.5)
        assert np.ptp(true) > 5
    units = whole["units"].to_dataset()
    neuron = np.array([truth.neuron[s][r] for s, r in zip(units["session"].values, units["row"].values, strict=True)])

    def spread(x):
        return np.mean([np.ptp(x[neuron == one]) for one in np.unique(neuron)])

    assert spread(units["x_registered"].values) < 0.5 * spread(units["x"].values)
