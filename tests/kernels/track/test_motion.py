"""Displacements are recovered from pairs that are mostly wrong, without a starting value and deterministically."""

import numpy as np
import pytest

from xephys.kernels.track.motion import Matches, depth_in_tissue, hat_functions, session_displacements, support


def matches(shifts, tilts, *, n_true, n_false, seed):
    rng = np.random.default_rng(seed)
    columns = []
    for a in range(len(shifts)):
        for b in range(a + 1, len(shifts)):
            place = rng.uniform(0, 1000, n_true)
            own = [place + shifts[s] + tilts[s] * (place - 500) / 1000 + rng.normal(0, 0.5, n_true) for s in (a, b)]
            wrong = rng.uniform(0, 1000, n_false)
            ends = [np.concatenate([own[0], wrong]), np.concatenate([own[1], wrong + rng.uniform(-200, 200, n_false)])]
            n = n_true + n_false
            columns.append((np.full(n, a), np.full(n, b), *ends, np.ones(n)))
    return Matches(*(np.concatenate(parts) for parts in zip(*columns, strict=True)))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("tilt", [0.0, 60.0])
def test_shift_and_tilt_are_recovered(seed, tilt):
    rng = np.random.default_rng(seed)
    shifts, tilts = rng.uniform(-80, 80, 5), rng.uniform(-tilt, tilt, 5)
    knots = np.array([0.0, 1000.0])
    moved = session_displacements(
        matches(shifts, tilts, n_true=15, n_false=20, seed=seed), n_sessions=5, knots_um=knots, motion_max_um=200.0
    )
    expected = shifts[:, None] + tilts[:, None] * np.array([-0.5, 0.5])
    assert np.abs(moved - (expected - expected.mean(axis=0))).max() < 1.5


def test_a_rigid_shift_is_recovered():
    shifts = np.array([-70.0, 20.0, 50.0])
    moved = session_displacements(
        matches(shifts, np.zeros(3), n_true=10, n_false=20, seed=0),
        n_sessions=3, knots_um=np.array([500.0]), motion_max_um=200.0,
    )  # fmt: skip
    np.testing.assert_allclose(moved[:, 0], shifts, atol=0.5)


def test_a_smooth_displacement_is_recovered():
    rng, knots = np.random.default_rng(0), np.array([0.0, 500.0, 1000.0])
    place = rng.uniform(0, 1000, 200)
    ends = place, place + np.interp(place, knots, [0.0, 30.0, 0.0])
    zero, one = np.zeros(200, np.int64), np.ones(200, np.int64)
    moved = session_displacements(
        Matches(zero, one, *ends, np.ones(200)), n_sessions=2, knots_um=knots, motion_max_um=200.0
    )
    np.testing.assert_allclose(moved[1] - moved[0], [0.0, 30.0, 0.0], atol=3.0)


def test_chance_does_not_support_a_displacement():
    knots = np.array([0.0, 1000.0])
    wrong = matches(np.zeros(5), np.zeros(5), n_true=0, n_false=30, seed=0)
    moved = session_displacements(wrong, n_sessions=5, knots_um=knots, motion_max_um=200.0)
    share, excess = support(wrong, moved, knots, residual_max_um=5.0)
    assert share.max() < 0.25 and excess.max() < 3.0
    right = matches(np.zeros(5), np.zeros(5), n_true=15, n_false=15, seed=0)
    moved = session_displacements(right, n_sessions=5, knots_um=knots, motion_max_um=200.0)
    share, excess = support(right, moved, knots, residual_max_um=5.0)
    assert share.min() > 0.45 and excess.min() > 3.0


def test_no_match_means_no_motion():
    none = Matches(*(np.empty(0, kind) for kind in (np.int64, np.int64, float, float, float)))
    assert not session_displacements(none, n_sessions=3, knots_um=np.zeros(1), motion_max_um=200.0).any()


@pytest.mark.parametrize("knots", [[400.0], [0.0, 1000.0], [0.0, 300.0, 600.0, 1000.0]], ids=len)
def test_depth_in_tissue_and_its_displacement_add_up_to_the_depth_on_the_probe(knots):
    rng, knots = np.random.default_rng(0), np.array(knots)
    seen, moved = rng.uniform(-100, 1100, 50), rng.uniform(-20, 20, (50, len(knots)))
    rested = depth_in_tissue(seen, moved, knots)
    np.testing.assert_allclose(rested + (hat_functions(rested, knots) * moved).sum(axis=1), seen, atol=1e-3)
