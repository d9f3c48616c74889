"""Whether two units are the same neuron: calibrated probabilities, learned from the sessions themselves.

Two units of one session are different neurons. Pairs between sessions contain as many different neurons as the numbers
of units imply, and in addition the pairs that are the same neuron. The odds of "same" are taken to be exponential in
the features (density ratio of Qin and Zhang 1997, Biometrika 84:609). No labels are needed, and if no neuron is shared,
none is matched. Where a sorter has split many neurons, pairs at different depths replace those of one session.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

#: Confidence in the prior weights relative to one another, expressed as a number of pairs: where sessions may have no
#: neuron in common, and where they do.
PRIOR_PAIRS, PRIOR_PAIRS_SHARED = 200.0, 20.0
#: Where sessions have neurons in common, all weights may grow or shrink by one factor, up to this; its logarithm has a
#: prior with a standard deviation of 1.
SCALE_MAX = 4.5
#: Odds that two units of a session are parts of one neuron, relative to those of two units of different sessions that
#: are as similar. A sorter's split units thus cost little when the odds are learned.
SPLIT_ODDS = 0.05
#: Split odds that are considered where they are estimated.
SPLIT_GRID = np.geomspace(0.005, 50.0, 93)
#: Prior log odds of a pair without any difference in its features, and the confidence in them.
CONSTANT, CONSTANT_PRECISION = -8.0, 0.3
#: Where sessions may have no neuron in common, a pair is less likely the same to begin with: by this factor.
FEWER_SHARED = 0.1
#: Odds of a pair of sessions of which one is displaced from the other by an unknown distance, where that distance is
#: known for other sessions.
UNRELATED_ODDS = 0.01
#: Shares of the prior constant from which the odds are searched, since there may be a second optimum in which no pair
#: is the same.
STARTS = (1.0, 0.5)
#: Log odds are limited to this value, and probabilities to this distance from 0 and 1.
LOG_ODDS_MAX, PROBABILITY_MIN = 40.0, 1e-4
N_STEPS_MAX = 300
#: Of more pairs than this, evenly chosen ones decide from which constant all of them are searched.
N_PAIRS_TRIED = 100_000


def learn_odds(
    features: NDArray[np.float64],
    is_cross: NDArray[np.bool_],
    prior: NDArray[np.float64],
    *,
    ratio: float,
    shared: bool = True,
    split: float = SPLIT_ODDS,
) -> NDArray[np.float64]:
    """Learn the weights of the features and a constant; their sum is the log odds that a pair is the same neuron.

    Parameters
    ----------
    features : (pair, feature)
    is_cross : (pair,)
        Whether the units may be the same neuron: whether they are from different sessions, and at one depth. The
        others are different neurons.
    prior : (feature,)
        Weights before anything is learned; no weight changes its sign.
    ratio
        Expected number of pairs of different neurons among those that may be the same, per pair of the others.
    shared
        Whether the sessions are known to have neurons in common. The weights may then change by a common factor. If no
        neuron is shared, the data do not determine that factor: the few pairs that look alike by chance would be
        explained by steep odds.
    split
        Odds that a pair of the others is one neuron after all, relative to those of pairs that may be the same; it has
        no effect without shared neurons.

    Returns
    -------
    (feature + 1,)

    Examples
    --------
    >>> same, different = np.linspace(3, 5, 60)[:, None], np.linspace(-1, 1, 120)[:, None]
    >>> features = np.concatenate([same, different, different])
    >>> odds = learn_odds(features, np.arange(300) < 180, np.array([3.0]), ratio=1.0)
    >>> probability_of(np.array([[4.0], [1.0]]), odds).round(1).tolist()
    [1.0, 0.0]
    """
    from scipy.optimize import minimize

    design = np.column_stack([features, np.ones(len(features))])
    n_features = len(prior)
    # The logarithm of the common factor, the weights relative to their prior, and the constant.
    constant = CONSTANT if shared else CONSTANT + np.log(FEWER_SHARED)
    start = np.concatenate([[0.0], np.ones(n_features), [constant]])
    confidence, split = (PRIOR_PAIRS_SHARED, split) if shared else (PRIOR_PAIRS, 0.0)
    precision = np.concatenate([[1.0], np.full(n_features, confidence), [CONSTANT_PRECISION]])

    def odds_of(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.append(np.exp(values[0]) * prior * values[1:-1], values[-1])

    def loss(
        values: NDArray[np.float64], cross: NDArray[np.float64], same: NDArray[np.float64]
    ) -> tuple[float, NDArray[np.float64]]:
        """Loss of classifying pairs as within or between sessions, and its slope.

        With odds of "same" between sessions and ``split`` times these within, pairs with given features are found
        between sessions ``ratio * (1 + odds) / (1 + split * odds)`` times as often as within.
        """
        odds = odds_of(values)
        of_cross, of_same = (np.exp(np.clip(d @ odds, -LOG_ODDS_MAX, LOG_ODDS_MAX)) for d in (cross, same))
        within = ratio * (1.0 + of_same) / (1.0 + split * of_same)
        between = ratio * (1.0 + of_cross) / (1.0 + split * of_cross)
        away = values - start
        value = np.log1p(1.0 / between).sum() + np.log1p(within).sum() + 0.5 * (precision * away**2).sum()
        rise_same = of_same * (1.0 / (1.0 + of_same) - split / (1.0 + split * of_same))
        rise_cross = of_cross * (1.0 / (1.0 + of_cross) - split / (1.0 + split * of_cross))
        slope = same.T @ (rise_same * within / (1.0 + within)) - cross.T @ (rise_cross / (1.0 + between))
        of_values = np.concatenate([[slope[:-1] @ odds[:-1]], slope[:-1] * prior * np.exp(values[0]), [slope[-1]]])
        return float(value), of_values + precision * away

    grown = np.log(SCALE_MAX) if shared else 0.0
    bounds = [(-grown, grown), *[(0.0, None)] * n_features, (None, None)]

    def searched(some: NDArray[np.bool_], first: NDArray[np.float64]) -> OptimizeResult:
        given = design[is_cross & some], design[~is_cross & some]
        return minimize(
            loss, first, given, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": N_STEPS_MAX}
        )

    every = np.ones(len(design), np.bool_)
    some = every if len(design) <= N_PAIRS_TRIED else np.arange(len(design)) % (len(design) // N_PAIRS_TRIED + 1) == 0
    found = [searched(some, np.append(start[:-1], share * constant)) for share in STARTS]
    best = min(found, key=lambda one: float(one.fun))
    return odds_of(np.asarray(best.x if some is every else searched(every, best.x).x))


def log_odds_of(features: NDArray[np.float64], odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log odds that each pair is the same neuron, considered on its own."""
    return np.asarray(np.clip(features @ odds[:-1] + odds[-1], -LOG_ODDS_MAX, LOG_ODDS_MAX))


def probability_of(features: NDArray[np.float64], odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability that each pair is the same neuron, considered on its own."""
    chance = 1.0 / (1.0 + np.exp(-log_odds_of(features, odds)))
    return np.asarray(np.clip(chance, PROBABILITY_MIN, 1.0 - PROBABILITY_MIN))


def estimate_split_odds(log_odds: NDArray[np.float64], *, n_same: float) -> tuple[float, float]:
    """How often two units of a session are parts of one neuron, relative to units of different sessions.

    Parameters
    ----------
    log_odds : (pair,)
        Log odds of pairs of units of one session, as if they were of different sessions.
    n_same
        Number of pairs of one neuron that would be among them if they were of different sessions.

    Returns
    -------
    split
        The most likely of :data:`SPLIT_GRID`.
    gain
        How much more likely, as a logarithm, the pairs are than with :data:`SPLIT_ODDS`.

    Examples
    --------
    >>> log_odds = np.concatenate([np.full(20, 8.0), np.full(500, -9.0)])
    >>> split, gain = estimate_split_odds(log_odds, n_same=10.0)
    >>> round(split), gain > 20
    (2, True)
    """
    same = np.exp(np.clip(log_odds, -LOG_ODDS_MAX, LOG_ODDS_MAX))
    # The pairs are points of a Poisson process: log density of those that are there, less their expected number.
    tried = np.append(SPLIT_GRID, SPLIT_ODDS)
    likely = np.array([np.log1p(split * same).sum() - split * n_same for split in tried])
    best = int(likely[:-1].argmax())
    return float(tried[best]), float(likely[best] - likely[-1])


def exclusive(
    log_odds: NDArray[np.float64],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    session: NDArray[np.int64],
    neuron: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Probabilities of pairs of which a unit is at most one neuron of another session.

    Parameters
    ----------
    log_odds : (pair,)
        Of each pair on its own. They are not those of a limited probability: of two partners that both look the same,
        one may still be much better.
    first, second : (pair,)
        The units of each pair.
    session : (unit,)
    neuron : (unit,)
        Equal for units of one session that are parts of one neuron; these do not exclude each other.

    Examples
    --------
    >>> pairs = np.log([9.0, 9.0]), np.array([0, 0]), np.array([1, 2])
    >>> exclusive(*pairs, np.array([0, 1, 1]), np.array([0, 1, 2])).round(2).tolist()
    [0.47, 0.47]
    >>> exclusive(*pairs, np.array([0, 1, 1]), np.array([0, 1, 1])).round(2).tolist()
    [0.9, 0.9]
    """
    odds = np.exp(log_odds)
    others = np.zeros(len(odds))
    for unit, other in ((first, second), (second, first)):
        others += _sums(unit, session[other], first, second, session, odds)
        others -= _sums(unit, neuron[other], first, second, neuron, odds)
    chance = odds / (1.0 + odds + np.maximum(others, 0.0))
    return np.asarray(np.clip(chance, PROBABILITY_MIN, 1.0 - PROBABILITY_MIN))


def _sums(
    unit: NDArray[np.int64],
    label: NDArray[np.int64],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    labels: NDArray[np.int64],
    odds: NDArray[np.float64],
) -> NDArray[np.float64]:
    """For each pair, the sum of the odds of its unit with all units that have a given label."""
    width = int(labels.max()) + 1 if len(labels) else 1
    keys, at = np.unique(
        np.concatenate([first * width + labels[second], second * width + labels[first]]), return_inverse=True
    )
    total = np.bincount(at, np.concatenate([odds, odds]), len(keys))
    return np.asarray(total[np.searchsorted(keys, unit * width + label)])


def best_partners(
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    probability: NDArray[np.float64],
    session: NDArray[np.int64],
    *,
    probability_min: float,
) -> NDArray[np.int64]:
    """Most probable partner of each unit in each other session, ``(unit, session)``; -1 if none is probable enough.

    Examples
    --------
    >>> best_partners(
    ...     np.array([0, 0]), np.array([1, 2]), np.array([0.7, 0.9]), np.array([0, 1, 1]), probability_min=0.5
    ... ).tolist()
    [[-1, 2], [0, -1], [0, -1]]
    """
    n_sessions = int(session.max()) + 1 if len(session) else 0
    best = np.full((len(session), n_sessions), -1, np.int64)
    probable = np.flatnonzero((probability >= probability_min) & (session[first] != session[second]))
    # Written in ascending order of probability, so that the most probable pair stays; of equals, the lower pair.
    order = probable[np.lexsort((-probable, probability[probable]))]
    best[first[order], session[second[order]]] = second[order]
    best[second[order], session[first[order]]] = first[order]
    return best


def values_between(
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    values: NDArray[np.float64],
    n_units: int,
    *,
    missing: float,
) -> Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]]:
    """A function that looks up the values of pairs of units in either order; ``missing`` for units that are not a pair.

    Examples
    --------
    >>> between = values_between(np.array([0]), np.array([2]), np.array([0.7]), 3, missing=0.0)
    >>> between(np.array([2, 1]), np.array([0, 0])).tolist()
    [0.7, 0.0]
    """
    keys = np.minimum(first, second) * n_units + np.maximum(first, second)
    order = np.argsort(keys)
    keys, found = np.append(keys[order], -1), np.append(values[order], missing)

    def between(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.float64]:
        wanted = np.minimum(a, b) * n_units + np.maximum(a, b)
        at = np.searchsorted(keys[:-1], wanted)
        return np.asarray(np.where(keys[at] == wanted, found[at], missing))

    return between
