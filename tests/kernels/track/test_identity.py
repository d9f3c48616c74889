"""Probabilities are calibrated if neurons are shared, and near zero if none is."""

import numpy as np
import pytest

from xephys.kernels.track.identity import best_partners, exclusive, learn_odds, probability_of

PRIOR = np.array([3.0, -3.0])


def drawn(n_same, n_different, n_within, seed, weights=(3.3, -2.6)):
    """Two normal distributions whose density ratio is exponential in the features, with these weights."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((n_same + n_different + n_within, 2))
    features[:n_same] += weights
    is_cross = np.arange(len(features)) < n_same + n_different
    return features, is_cross, np.arange(len(features)) < n_same


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n_same", [80, 400])
def test_probabilities_are_calibrated(seed, n_same):
    features, is_cross, is_same = drawn(n_same, 800, 400, seed)
    odds = learn_odds(features, is_cross, PRIOR, ratio=2.0)
    chance = probability_of(features[is_cross], odds)
    truth = is_same[is_cross]
    assert ((chance - truth) ** 2).mean() < 0.03
    assert abs(chance.sum() / n_same - 1) < 0.3


def test_without_shared_neurons_hardly_any_match_is_probable():
    share = []
    for seed in range(10):
        features, is_cross, _ = drawn(0, 800, 400, seed)
        chance = probability_of(features[is_cross], learn_odds(features, is_cross, PRIOR, ratio=2.0))
        share.append((chance > 0.5).mean())
    assert np.mean(share) < 0.01 and max(share) < 0.02


def test_no_weight_changes_its_sign():
    features, is_cross, _ = drawn(100, 400, 200, 0)
    odds = learn_odds(-features, is_cross, PRIOR, ratio=2.0)
    assert odds[0] >= 0 and odds[1] <= 0


def test_learning_minimizes_the_loss():
    """A step in any direction from the learned weights raises the loss."""
    features, is_cross, _ = drawn(100, 400, 200, 1)
    odds = learn_odds(features, is_cross, PRIOR, ratio=2.0)

    def loss(at):
        of_same = np.exp(features @ at[:-1] + at[-1])
        between = 2.0 * (1 + of_same)
        start, precision = np.append(PRIOR, -8.0), np.append(200.0 / PRIOR**2, 0.3)
        found = np.where(is_cross, np.log1p(1 / between), np.log1p(between)).sum()
        return found + 0.5 * (precision * (at - start) ** 2).sum()

    steps = np.concatenate([np.eye(3), -np.eye(3)]) * 0.02
    assert all(loss(odds) < loss(odds + step) for step in steps)


def test_units_of_a_session_exclude_each_other():
    first, second = np.array([0, 0, 1]), np.array([2, 3, 3])
    session, apart = np.array([0, 0, 1, 1]), np.arange(4)
    chance = exclusive(np.array([0.9, 0.9, 0.5]), first, second, session, apart)
    np.testing.assert_allclose(chance, [9 / (1 + 9 + 9), 9 / (1 + 9 + 9 + 1), 1 / (1 + 1 + 9)])


def test_parts_of_one_neuron_do_not_exclude_each_other():
    first, second = np.array([0, 0]), np.array([1, 2])
    session, neuron = np.array([0, 1, 1]), np.array([0, 1, 1])
    np.testing.assert_allclose(exclusive(np.array([0.9, 0.8]), first, second, session, neuron), [0.9, 0.8])


def test_of_two_equal_partners_the_first_is_best():
    best = best_partners(
        np.array([0, 0, 0]), np.array([1, 2, 3]), np.array([0.8, 0.8, 0.3]), np.array([0, 1, 1, 2]), probability_min=0.5
    )
    assert best[0].tolist() == [-1, 1, -1] and best[3].tolist() == [-1, -1, -1]
