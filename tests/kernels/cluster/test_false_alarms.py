"""Spikes and false alarms of equal scores are told apart where their shapes differ, and only there."""

import numpy as np
import pytest

from xephys.kernels.cluster.false_alarms import BEYOND_MAX, find_shape, odds_of

THRESHOLD = 5.0


def matches(*, n_spikes, n_false, distance, seed, n_far=4):
    """Matches of one template: spikes, and false alarms from far neurons, each of these of a shape of its own."""
    rng = np.random.default_rng(seed)
    is_spike = rng.permutation(np.repeat([True, False], [n_spikes, n_false]))
    template, *far = np.linalg.qr(rng.standard_normal((48, n_far + 1)))[0].T
    score = np.where(is_spike, rng.normal(5.6, 0.9, len(is_spike)), 4 + rng.exponential(0.6, len(is_spike)))
    seen = score >= 4
    is_spike, score = is_spike[seen], score[seen]
    points = score[:, None] * template + rng.standard_normal((len(score), 48))
    points[~is_spike] += distance * np.stack(far)[rng.integers(n_far, size=(~is_spike).sum())]
    return points.astype(np.float32).reshape(len(points), -1, 4), score, is_spike


def judged(projection, score, shape):
    along = projection.reshape(len(score), -1)
    return odds_of(along, score - THRESHOLD, np.zeros(len(score), int), [shape]) > 0


def accuracy(chosen, is_spike):
    return (chosen & is_spike).sum() / (chosen | is_spike).sum()


@pytest.mark.parametrize(("n_spikes", "n_false"), [(300, 600), (1200, 1200), (1500, 300)])
def test_shapes_tell_what_scores_do_not(n_spikes, n_false):
    gains = []
    for seed in range(5):
        projection, score, is_spike = matches(n_spikes=n_spikes, n_false=n_false, distance=4.0, seed=seed)
        shape = find_shape(projection, score, 3, np.arange(len(score)), THRESHOLD, 20)
        assert shape is not None
        assert shape.record["unit"].tolist() == [3]
        by_shape = accuracy(judged(projection, score, shape), is_spike)
        gains.append(by_shape - accuracy(score >= THRESHOLD, is_spike))
        assert shape.record["accuracy"] > shape.record["accuracy_above"]
    assert min(gains) > 0.04


@pytest.mark.parametrize("n_matches", [60, 300, 2500])
def test_matches_of_one_shape_are_judged_by_their_score_alone(n_matches):
    for seed in range(8):
        projection, score, _ = matches(n_spikes=n_matches, n_false=n_matches, distance=0.0, seed=seed)
        assert find_shape(projection, score, 0, np.arange(len(score)), THRESHOLD, 20) is None


@pytest.mark.parametrize("side", [True, False])
def test_too_few_spikes_or_false_alarms_teach_nothing(side):
    projection, score, _ = matches(n_spikes=400, n_false=400, distance=6.0, seed=0)
    few = np.flatnonzero((score >= THRESHOLD) == side)[:15]
    rows = np.sort(np.concatenate([few, np.flatnonzero((score >= THRESHOLD) != side)]))
    assert find_shape(projection, score, 0, rows, THRESHOLD, 20) is None


def test_the_part_that_the_score_measures_is_left_to_it():
    """The direction has no part along the mean, and a score beyond the limit says no more than one at the limit."""
    projection, score, _ = matches(n_spikes=500, n_false=500, distance=4.0, seed=1)
    shape = find_shape(projection, score, 0, np.arange(len(score)), THRESHOLD, 20)
    mean = projection.reshape(len(score), -1)[score > 6].mean(axis=0)
    along = abs(shape.direction @ mean) / np.linalg.norm(shape.direction) / np.linalg.norm(mean)
    assert along < 0.15
    points, of = np.zeros((2, shape.direction.size)), np.zeros(2, int)
    limit, beyond = odds_of(points, np.array([BEYOND_MAX, BEYOND_MAX + 3]), of, [shape])
    assert limit == beyond


def test_a_channel_that_no_spike_reaches_does_not_matter():
    projection, score, _ = matches(n_spikes=500, n_false=500, distance=4.0, seed=2)
    wider = np.concatenate([projection, np.zeros_like(projection[:, :2])], axis=1)
    narrow = find_shape(projection, score, 0, np.arange(len(score)), THRESHOLD, 20)
    wide = find_shape(wider, score, 0, np.arange(len(score)), THRESHOLD, 20)
    assert np.array_equal(judged(projection, score, narrow), judged(wider, score, wide))
