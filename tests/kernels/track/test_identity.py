"""Probabilities are calibrated if neurons are shared, and near zero if none is."""

import numpy as np
import pytest

from xephys.kernels.track.identity import (
    best_partners,
    estimate_split_odds,
    exclusive,
    learn_odds,
    probability_of,
    values_between,
)
from xephys.kernels.track.pairs import WEIGHTS

PRIOR = np.array([3.0, -3.0])


def drawn(n_same, n_different, n_within, seed, weights=(3.3, -2.6)):
    """Two normal distributions whose density ratio is exponential in the features, with these weights."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((n_same + n_different + n_within, 2))
    features[:n_same] += weights
    is_cross = np.arange(len(features)) < n_same + n_different
    return features, is_cross, np.arange(len(features)) < n_same


@pytest.mark.parametrize("n_same", [80, 400])
def test_probabilities_are_calibrated(n_same):
    """Probabilities add up to the number of true pairs, on average over draws of few pairs."""
    said = []
    for seed in range(12):
        features, is_cross, is_same = drawn(n_same, 800, 400, seed)
        odds = learn_odds(features, is_cross, PRIOR, ratio=2.0)
        chance = probability_of(features[is_cross], odds)
        assert ((chance - is_same[is_cross]) ** 2).mean() < 0.03
        said.append(chance.sum() / n_same)
    assert abs(np.mean(said) - 1) < 0.15


def test_without_shared_neurons_hardly_any_match_is_probable():
    share = []
    for seed in range(10):
        features, is_cross, _ = drawn(0, 800, 400, seed)
        chance = probability_of(features[is_cross], learn_odds(features, is_cross, PRIOR, ratio=2.0, shared=False))
        share.append((chance > 0.5).mean())
    assert np.mean(share) < 0.01 and max(share) < 0.02


@pytest.mark.parametrize(("n_same", "cosine", "seed"), [(15, 2.0, 0), (20, 1.8, 1), (40, 1.6, 1)])
def test_few_shared_neurons_are_found_beside_an_optimum_without_any(n_same, cosine, seed):
    """Searched from the prior alone, the odds of these pairs end where less than one pair in all is the same."""
    rng = np.random.default_rng(seed)
    n = 3600
    different = np.column_stack(
        [rng.normal(1.2, 0.4, n), np.abs(rng.normal(0, 0.7, n)), np.log1p(rng.uniform(0, 60, n) / 3),
         *(np.log1p(np.abs(rng.normal(0, spread, n)) / 3) for spread in (15, 8)), np.zeros(n)]
    )  # fmt: skip
    same = np.column_stack(
        [rng.normal(cosine, 0.3, n_same), np.abs(rng.normal(0, 0.2, n_same)),
         *(np.log1p(rng.exponential(spread, n_same) / 3) for spread in (4, 5, 3)), np.zeros(n_same)]
    )  # fmt: skip
    features, is_cross = np.concatenate([same, different]), np.arange(n_same + n) < n_same + 1200
    chance = probability_of(features[is_cross], learn_odds(features, is_cross, WEIGHTS[:6], ratio=0.5, split=0.0))
    assert 0.4 * n_same < chance.sum() < 1.2 * n_same
    assert chance[:n_same].sum() > 0.6 * chance.sum()


def test_many_pairs_are_searched_from_where_some_of_them_lead(monkeypatch):
    features, is_cross, _ = drawn(300, 2400, 1200, 3)
    plain = learn_odds(features, is_cross, PRIOR, ratio=2.0)
    monkeypatch.setattr("xephys.kernels.track.identity.N_PAIRS_TRIED", 500)
    np.testing.assert_allclose(learn_odds(features, is_cross, PRIOR, ratio=2.0), plain, rtol=1e-3)


def test_no_weight_changes_its_sign():
    features, is_cross, _ = drawn(100, 400, 200, 0)
    odds = learn_odds(-features, is_cross, PRIOR, ratio=2.0)
    assert odds[0] >= 0 and odds[1] <= 0


@pytest.mark.parametrize("shared", [False, True])
def test_learning_minimizes_the_loss(shared):
    """A step in any direction from the learned weights raises the loss, with the best common factor of the weights."""
    features, is_cross, _ = drawn(100, 400, 200, 1)
    odds = learn_odds(features, is_cross, PRIOR, ratio=2.0, shared=shared)
    split, confidence, constant = (0.05, 20.0, -8.0) if shared else (0.0, 200.0, -8.0 + np.log(0.1))
    scales = np.exp(np.linspace(-np.log(4.5), np.log(4.5), 800)) if shared else np.ones(1)

    def loss(at):
        of_same = np.exp(features @ at[:-1] + at[-1])
        between = 2.0 * (1 + of_same) / (1 + split * of_same)
        found = np.where(is_cross, np.log1p(1 / between), np.log1p(between)).sum() + 0.15 * (at[-1] - constant) ** 2
        relative = at[:-1] / PRIOR / scales[:, None]
        return found + (0.5 * confidence * ((relative - 1) ** 2).sum(axis=1) + 0.5 * np.log(scales) ** 2).min()

    steps = np.concatenate([np.eye(3), -np.eye(3)]) * 0.05
    assert all(loss(odds) < loss(odds + step) for step in steps)


def test_weights_grow_with_the_data_if_neurons_are_shared():
    """Twice the prior weights are found: with these, the probabilities are neither too low nor too high."""
    features, is_cross, is_same = drawn(400, 4000, 2000, 3)
    odds = learn_odds(features, is_cross, PRIOR / 2, ratio=2.0)
    still = learn_odds(features, is_cross, PRIOR / 2, ratio=2.0, shared=False)
    assert (odds[:-1] / (PRIOR / 2) > 1.5).all() and (still[:-1] / (PRIOR / 2) < 1.1).all()
    truth = is_same[is_cross]
    brier = [((probability_of(features[is_cross], found) - truth) ** 2).mean() for found in (odds, still)]
    assert brier[0] < brier[1]


def test_split_units_do_not_flatten_the_odds():
    """A few pairs within sessions are parts of one neuron; the odds stay nearly as they are without them."""
    features, is_cross, _ = drawn(400, 1600, 800, 4)
    plain = learn_odds(features, is_cross, PRIOR, ratio=2.0)
    parts = np.array([3.3, -2.6]) + np.random.default_rng(0).standard_normal((8, 2))
    split = learn_odds(np.concatenate([features, parts]), np.append(is_cross, np.zeros(8, np.bool_)), PRIOR, ratio=2.0)
    np.testing.assert_allclose(split[:-1], plain[:-1], rtol=0.15)


@pytest.mark.parametrize("n_parts", [0, 30, 200])
def test_split_odds_are_the_number_of_parts(n_parts):
    """Of 100 pairs of one neuron between sessions, and some within them, learned from pairs that are certain."""
    features, is_cross, _ = drawn(100, 800, 1600, 5)
    odds = learn_odds(features, is_cross, PRIOR, ratio=0.5, split=0.0)
    within = np.random.default_rng(6).standard_normal((400 + n_parts, 2))
    within[:n_parts] += (3.3, -2.6)
    split, gain = estimate_split_odds(within @ odds[:-1] + odds[-1], n_same=50.0)
    assert abs(split - n_parts / 50) < 0.1 + 0.15 * n_parts / 50
    assert (gain > 20) == (n_parts > 0)


def test_a_pair_is_looked_up_in_either_order():
    between = values_between(np.array([0, 3]), np.array([2, 1]), np.array([0.7, 0.9]), 4, missing=-9.0)
    assert between(np.array([[2], [1]]), np.array([[0, 1], [3, 0]])).tolist() == [[0.7, -9.0], [0.9, -9.0]]
    assert between(np.array([-1]), np.array([2])).tolist() == [-9.0]


def test_units_of_a_session_exclude_each_other():
    first, second = np.array([0, 0, 1]), np.array([2, 3, 3])
    session, apart = np.array([0, 0, 1, 1]), np.arange(4)
    chance = exclusive(np.log([9.0, 9.0, 1.0]), first, second, session, apart)
    np.testing.assert_allclose(chance, [9 / (1 + 9 + 9), 9 / (1 + 9 + 9 + 1), 1 / (1 + 1 + 9)])


def test_parts_of_one_neuron_do_not_exclude_each_other():
    first, second = np.array([0, 0]), np.array([1, 2])
    session, neuron = np.array([0, 1, 1]), np.array([0, 1, 1])
    np.testing.assert_allclose(exclusive(np.log([9.0, 4.0]), first, second, session, neuron), [0.9, 0.8])


def test_the_better_of_two_partners_that_both_look_the_same_is_the_one():
    """Neither of them would be if their probabilities were limited first."""
    chance = exclusive(np.array([20.0, 12.0]), np.array([0, 0]), np.array([1, 2]), np.array([0, 1, 1]), np.arange(3))
    assert chance[0] > 0.999 and chance[1] < 0.001 and chance.max() < 1.0


def test_of_two_equal_partners_the_first_is_best():
    best = best_partners(
        np.array([0, 0, 0]), np.array([1, 2, 3]), np.array([0.8, 0.8, 0.3]), np.array([0, 1, 1, 2]), probability_min=0.5
    )
    assert best[0].tolist() == [-1, 1, -1] and best[3].tolist() == [-1, -1, -1]
