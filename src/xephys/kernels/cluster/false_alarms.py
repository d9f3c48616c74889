"""Tell the spikes of a unit from false alarms by their shape and their score together.

At the threshold of a small unit, spikes and false alarms have the same scores, and no threshold separates them. False
alarms are mostly spikes of far neurons, each of a shape of its own, and therefore form no group that could be found
without a hint. The scores give that hint: most matches well above the threshold are spikes, and most of those below it
are not. A discriminant between the two, on features without the part that the score already measures, finds how their
shapes differ; it judges each match without having been fitted to it. Then the odds of shape and score together say
anew which matches are spikes, and how fast their share rises with the score, and so on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

__all__ = ["JUDGED", "Shape", "find_shape", "odds_of"]

#: How fast the logarithm of the odds of a spike rises with its score at first, per unit of the noise, and the distance
#: from the threshold beyond which a larger score says no more.
SLOPE, BEYOND_MAX = 2.0, 1.5
#: Rounds of the discriminant, how many of them keep the initial odds, and groups of matches judged by the others.
N_ROUNDS, N_ROUNDS_BEFORE, N_FOLDS = 8, 1, 5
#: Weight of the identity in the covariance of the discriminant.
SHRINKAGE = 0.2
#: Steps that fit the odds of a score, and the weight of odds that do not depend on it.
N_STEPS, RIDGE = 3, 1.0
#: Channels with less than this fraction of the energy of the strongest are not used.
REACHED_FRACTION = 0.01
#: Minimum distance of the matches above the threshold from those below it, along a discriminant that was fitted without
#: them, in standard errors. Later rounds would find some difference in any matches.
EVIDENCE_MIN = 3.5
#: Minimum gain of the expected accuracy (spikes found over spikes and false alarms) by which the shape is used at all.
GAIN_MIN = 0.015

JUDGED = np.dtype(
    [
        ("unit", np.int32),
        ("num_matches", np.int64),
        ("num_above", np.int64),
        ("num_spikes", np.int64),
        ("accuracy_above", np.float64),
        ("accuracy", np.float64),
    ]
)
"""A unit judged by shape: its matches that were looked at, those above its threshold and those that are spikes by shape
and score, and the expected accuracy of either choice."""


class Shape(NamedTuple):
    """What tells the spikes of a unit from false alarms.

    Attributes
    ----------
    direction : (n_features,) float64
    offset : float
        Subtracted from the product of features and direction.
    curve : (3,) float64
        Coefficients of a parabola of that value, constant first: the logarithm of the odds by shape.
    slope, base : float
        The logarithm of the odds by score is ``base + slope * min(score - threshold, BEYOND_MAX)``.
    record : structured scalar of dtype `JUDGED`
    """

    direction: NDArray[np.float64]
    offset: float
    curve: NDArray[np.float64]
    slope: float
    base: float
    record: NDArray[np.void]


def find_shape(
    projection: NDArray[np.float32],
    score: NDArray[np.float64],
    unit: int,
    rows: NDArray[np.int64],
    threshold: float,
    n_spikes_min: int,
) -> Shape | None:
    """Find how the spikes of a unit differ in shape from the false alarms of its template.

    Parameters
    ----------
    projection : (n_matches, n_slots, n_components) float32
    score : (n_matches,) float64
        In units of the noise, from well below the threshold on.
    unit : int
        Number of the unit, for the record.
    rows : (n,) int64
        Matches of the unit, in order of time.
    threshold : float
        The score at which a match is as likely a spike as a false alarm.
    n_spikes_min : int
        Minimum number of spikes, and of false alarms.

    Returns
    -------
    shape : Shape or None
        None if there are too few spikes or false alarms, if their shapes are alike, or if the threshold is as good.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> spike = np.repeat([True, False], 300)
    >>> projection = rng.standard_normal((600, 1, 3)).astype(np.float32) + np.array([6.0, 0, 0], np.float32)
    >>> projection[~spike, 0, 1] += 3
    >>> score = np.abs(rng.normal(np.where(spike, 5.5, 4.5), 0.5))
    >>> shape = find_shape(projection, score, 0, np.arange(600), 5.0, 20)
    >>> bool(shape.record["accuracy"] > 0.9 > shape.record["accuracy_above"])
    True
    """
    beyond = np.minimum(score[rows] - threshold, BEYOND_MAX)
    above = beyond >= 0
    if min(above.sum(), len(rows) - above.sum()) < n_spikes_min:
        return None
    features = projection[rows].reshape(len(rows), -1).astype(np.float64)
    energy = (features.mean(axis=0).reshape(projection.shape[1:]) ** 2).sum(axis=1)
    reached = np.repeat(energy >= REACHED_FRACTION * energy.max(initial=0.0), projection.shape[2])
    features = features[:, reached]
    slope, base = SLOPE, 0.0
    share = expit(slope * beyond + base)
    mean = share @ features
    mean /= max(float(np.linalg.norm(mean)), 1e-12)
    features -= np.outer(features @ mean, mean)
    folds = _Folds.of(features)
    for number in range(N_ROUNDS):
        if min(share.sum(), len(share) - share.sum()) < n_spikes_min:
            return None
        along = folds.held_out(share)
        if number == 0 and _distance(along[above], along[~above]) < EVIDENCE_MIN:
            return None
        curve = _parabola(along, share) - _parabola(along, 1 - share)
        by_shape = np.polynomial.polynomial.polyval(along, curve)
        if number >= N_ROUNDS_BEFORE:
            slope, base = _odds_of_scores(beyond, share, slope, base)
        odds = by_shape + slope * beyond + base
        share = expit(odds)
    kept = odds > 0
    accuracies = _expected_accuracy(share, above), _expected_accuracy(share, kept)
    if kept.sum() < n_spikes_min or accuracies[1] - accuracies[0] < GAIN_MIN:
        return None
    direction, offset = folds.discriminant(share)
    everywhere = np.zeros(len(reached))
    everywhere[reached] = direction - (direction @ mean) * mean
    record = np.array([(unit, len(rows), above.sum(), kept.sum(), *accuracies)], JUDGED)
    return Shape(everywhere, offset, curve, slope, base, record)


def odds_of(
    features: NDArray[np.floating], beyond: NDArray[np.float64], shape: NDArray[np.int64], shapes: Sequence[Shape]
) -> NDArray[np.float64]:
    """Logarithm of the odds that each match is a spike.

    Parameters
    ----------
    features : (n_matches, n_features) float
    beyond : (n_matches,) float64
        Score less the threshold of the match's unit.
    shape : (n_matches,) int64
        Which of the shapes is that of the match's unit.
    shapes : sequence of Shape

    Returns
    -------
    (n_matches,) float64
        Above 0 where a spike is more likely than a false alarm.

    Examples
    --------
    >>> one = Shape(np.array([1.0, 0.0]), 2.0, np.array([0.0, 1.0, 0.0]), 2.0, 0.5, np.empty(1, JUDGED))
    >>> odds_of(np.array([[3.0, 9.0]]), np.array([-0.5]), np.array([0]), [one])
    array([0.5])
    """
    directions = np.stack([one.direction for one in shapes])
    curves = np.stack([one.curve for one in shapes])
    others = np.array([(one.offset, one.slope, one.base) for one in shapes])
    offset, slope, base = others[shape].T
    along = np.einsum("sf,sf->s", features, directions[shape]) - offset
    by_shape = np.polynomial.polynomial.polyval(along, curves[shape].T, tensor=False)
    return np.asarray(by_shape + base + slope * np.minimum(beyond, BEYOND_MAX))


class _Folds(NamedTuple):
    """Features, every fifth of them in one fold, and the sums from which a discriminant follows without a fold."""

    features: NDArray[np.float64]
    fold: NDArray[np.int64]
    squares: NDArray[np.float64]  # (fold, feature, feature)

    @classmethod
    def of(cls, features: NDArray[np.float64]) -> _Folds:
        fold = np.arange(len(features)) % N_FOLDS
        parts = [features[fold == number] for number in range(N_FOLDS)]
        return cls(features, fold, np.stack([part.T @ part for part in parts]))

    def held_out(self, share: NDArray[np.float64]) -> NDArray[np.float64]:
        """Every spike along a discriminant that was fitted without its fold."""
        along = np.empty(len(self.features))
        for number in range(N_FOLDS):
            own = self.fold == number
            direction, offset = self.discriminant(share, without=number)
            along[own] = self.features[own] @ direction - offset
        return along

    def discriminant(self, share: NDArray[np.float64], *, without: int = -1) -> tuple[NDArray[np.float64], float]:
        """Direction from false alarms to spikes that separates them best, and its value halfway."""
        used = self.fold != without
        features, share = self.features[used], share[used]
        squares = self.squares.sum(axis=0) - (self.squares[without] if without >= 0 else 0.0)
        weights = max(float(share.sum()), 1e-9), max(float((1 - share).sum()), 1e-9)
        means = share @ features / weights[0], (1 - share) @ features / weights[1]
        between = [weight * np.outer(mean, mean) for weight, mean in zip(weights, means, strict=True)]
        covariance = (squares - between[0] - between[1]) / len(features)
        covariance += (SHRINKAGE * np.trace(covariance) / len(covariance) + 1e-12) * np.eye(len(covariance))
        direction = np.linalg.solve(covariance, means[0] - means[1])
        return direction, float((means[0] + means[1]) @ direction) / 2


def _parabola(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithm of the normal density of weighted values, less a constant: coefficients, constant first."""
    mean = float(weights @ values / weights.sum())
    variance = max(float(weights @ (values - mean) ** 2 / weights.sum()), 1e-18)
    return np.array([-0.5 * np.log(variance) - 0.5 * mean**2 / variance, mean / variance, -0.5 / variance])


def _distance(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """How far the mean of the first values is above that of the second, in standard errors."""
    variance = first.var() / len(first) + second.var() / len(second)
    return float((first.mean() - second.mean()) / max(float(np.sqrt(variance)), 1e-12))


def _odds_of_scores(
    beyond: NDArray[np.float64], share: NDArray[np.float64], slope: float, base: float
) -> tuple[float, float]:
    """How the odds of a spike rise with its score: a logistic regression of the shares, continued by a few steps."""
    for _ in range(N_STEPS):
        expected = expit(slope * beyond + base)
        weight, rest = np.maximum(expected * (1 - expected), 1e-6), share - expected
        tilted = weight @ beyond
        curvature = np.array([[weight @ beyond**2 + RIDGE, tilted], [tilted, weight.sum() + RIDGE]])
        step = np.linalg.solve(curvature, np.array([rest @ beyond, rest.sum()]))
        slope, base = slope + float(step[0]), base + float(step[1])
    return max(slope, 0.0), base


def _expected_accuracy(share: NDArray[np.float64], chosen: NDArray[np.bool_]) -> float:
    """Spikes among the chosen over all spikes and the false alarms among the chosen."""
    return float(share[chosen].sum() / max(share.sum() + (1 - share[chosen]).sum(), 1e-12))
