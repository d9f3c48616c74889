"""A short shank that shows too little by itself moves with the others of its probe, if its peaks agree."""

from __future__ import annotations

import numpy as np
import pytest

from tests.motion.support import silent_recording
from xephys.motion.shank_peaks import Course, ShankPeaks
from xephys.motion.short import unknown
from xephys.motion.together import mean_course, moved_together, probes_of_shanks

N_TIMES, PER_BIN = 20, 60
RISE = np.where(np.arange(N_TIMES) >= N_TIMES // 2, 8.0, -8.0)


def seen(course, *, seed=0):
    """Two neurons along 45 µm, which move along a course."""
    rng = np.random.default_rng(seed)
    neuron, time = rng.integers(0, 2, N_TIMES * PER_BIN), np.repeat(np.arange(N_TIMES), PER_BIN)
    depth = np.array([5.0, 35.0])[neuron] + course[time] + rng.normal(0, 4, len(neuron))
    amplitude = np.array([60.0, 90.0])[neuron] * rng.lognormal(0, 0.2, len(neuron))
    offsets = np.arange(N_TIMES + 1) * PER_BIN
    return ShankPeaks(offsets, depth.astype(np.float32), amplitude.astype(np.float32), 1.0, (0.0, 45.0))


def known(course):
    shape = (N_TIMES, 1)
    return Course(course[:, None], np.full(shape, 0.5), np.ones(shape, bool), np.array([22.5]))


@pytest.mark.parametrize("seed", range(3))
def test_an_unknown_shank_takes_the_course_of_the_others(seed):
    shanks = [seen(RISE, seed=10 * seed + i) for i in range(3)]
    courses = [known(RISE), unknown(shanks[1]), known(RISE + 0.4)]
    found = moved_together(shanks, courses, np.zeros(3, int))
    assert found[0] is courses[0] and found[2] is courses[2]
    assert found[1].known.all()
    np.testing.assert_allclose(found[1].displacement_um[:, 0], RISE, atol=0.01)


@pytest.mark.parametrize("own", [np.zeros(N_TIMES), -RISE, 8.0 * np.sin(np.arange(N_TIMES))])
@pytest.mark.parametrize("seed", range(3))
def test_a_shank_that_rests_or_moves_otherwise_does_not(own, seed):
    shanks = [seen(RISE, seed=10 * seed), seen(own, seed=10 * seed + 1)]
    courses = [known(RISE), unknown(shanks[1])]
    assert moved_together(shanks, courses, np.zeros(2, int))[1] is courses[1]


def test_shanks_that_show_movement_keep_their_own_and_other_probes_tell_nothing():
    shanks = [seen(RISE), seen(RISE, seed=1)]
    different = [known(RISE), known(-RISE)]
    assert all(a is b for a, b in zip(moved_together(shanks, different, np.zeros(2, int)), different, strict=True))
    courses = [known(RISE), unknown(shanks[1])]
    assert moved_together(shanks, courses, np.array([0, 1]))[1] is courses[1]
    assert moved_together(shanks, [unknown(own) for own in shanks], np.zeros(2, int))[0].known.sum() == 0


def test_a_mean_course_is_known_where_one_of_them_is_and_leans_to_the_better_known():
    sure, unsure = known(RISE), known(3 * RISE)
    unsure = unsure._replace(uncertainty_um=np.full((N_TIMES, 1), 7.0), known=np.zeros((N_TIMES, 1), bool))
    mean = mean_course([sure, unsure], depth_um=40.0)
    weights = np.array([1 / (0.25 + 1), 1 / (49 + 1)])
    expected = (weights @ np.array([8.0, 24.0])) / weights.sum()
    np.testing.assert_allclose(np.abs(mean.displacement_um), expected)
    np.testing.assert_allclose(mean.uncertainty_um, np.sqrt(1 / weights.sum()))
    assert mean.known.all() and mean.depth_um.tolist() == [40.0]
    without = sure._replace(uncertainty_um=np.full((N_TIMES, 1), np.nan))
    np.testing.assert_allclose(mean_course([without], depth_um=0.0).displacement_um, sure.displacement_um)


def test_probes_are_those_of_the_shanks():
    recording = silent_recording(4.0, 40.0, shanks=3)
    assert probes_of_shanks(recording).tolist() == [0, 0, 0]
    labeled = recording.assign_coords(probe=("channel", np.repeat(["b", "b", "a"], recording.sizes["channel"] // 3)))
    assert sorted(probes_of_shanks(labeled).tolist()) == [0, 1, 1]
