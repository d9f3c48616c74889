"""Whether the scores of a unit's matches have a mode, as those of a neuron have, or are the tail of false alarms.

Noise and the spikes of far neurons exceed any threshold now and then. What is similar among such crossings gives a
template, and this finds them again: a unit without a neuron. Its scores show it. They are most frequent at the lowest
score that was matched, and fall off exponentially from there, by e for each unit of noise or so, while the spikes of a
neuron lie around the size of its template. Both distributions are fitted, and the neuron is believed if it explains
the scores better by more than its parameters do anyway (Schwarz 1978, Annals of Statistics 6:461).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

#: Fewer scores do not tell.
N_SCORES_MIN = 10
#: Parameters of the distribution of a neuron's scores: center, spread and share.
N_PARAMETERS = 3
#: Smallest spread of a neuron's scores, in units of the noise, and largest, as a fraction of their center.
SPREAD_MIN, VARIATION_MAX = 0.7, 0.25
#: Smallest rate at which false alarms fall off, for each unit of the noise; without it, few spikes far above the floor
#: would pass for a flat tail.
FALL_MIN = 0.7
#: Quantiles of the scores from which the center is searched.
STARTS = (0.5, 0.75, 0.9)
N_ITERATIONS = 100
#: Evenly chosen scores stand for all of more than this.
N_SCORES_MAX = 1000
#: The search ends at such clear evidence, unless told otherwise, or once the likelihood, as a logarithm, grows by less
#: than this.
CLEAR, CONVERGED = 20.0, 1e-3


def evidence_of_mode(scores: NDArray[np.float64], floor: float, *, clear: float = CLEAR) -> float:
    """How much better a neuron and false alarms explain the scores than false alarms alone.

    Parameters
    ----------
    scores : (match,)
        Scores of all matches of one unit, in units of the noise. Those below ``floor`` are left out: they were above
        it when they were matched, and tell nothing since overlapping spikes were fitted together.
    floor
        Nothing was matched below this.
    clear
        The search ends at such evidence.

    Returns
    -------
    Logarithm of the odds, by the Bayesian information criterion; 0 for too few scores to tell. Beyond ``clear``, it is
    at least that large.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> spikes, false = rng.normal(9, 1, 30), 6 + rng.exponential(0.8, 80)
    >>> evidence_of_mode(np.append(spikes, false), 6.0) > 0, evidence_of_mode(false, 6.0) < 0
    (True, True)
    """
    scores = scores[scores >= floor]
    if scores.size < N_SCORES_MIN:
        return 0.0
    ordered = np.sort(scores)
    if scores.size > N_SCORES_MAX:
        ordered = ordered[np.linspace(0, scores.size - 1, N_SCORES_MAX).round().astype(np.int64)]
    beyond = ordered - floor
    fall = max(1.0 / max(float(beyond.mean()), 1e-9), FALL_MIN)
    alone = ordered.size * math.log(fall) - fall * float(beyond.sum())
    without = alone + 0.5 * N_PARAMETERS * math.log(ordered.size)
    best = -math.inf
    for start in STARTS:
        best = max(best, _fitted(ordered, floor, float(np.quantile(ordered, start)), enough=without + clear))
        if best > without + clear:
            break
    return best - without


def evidence_by_unit(
    scores: NDArray[np.float64],
    units: NDArray[np.int32],
    judged: NDArray[np.int64],
    floor: float,
    *,
    per_match_min: float = 0.0,
) -> NDArray[np.float64]:
    """The evidence of each judged unit, for each of its matches.

    Parameters
    ----------
    scores, units : (match,)
        Scores of all matches, in units of the noise, and their units.
    judged : (unit,)
        The units to judge.
    floor
        Nothing was matched below this.
    per_match_min
        Evidence that is clearly above this is not determined any further.

    Returns
    -------
    evidence : (unit,) float64
        :func:`evidence_of_mode`, divided by the number of scores that it looked at.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> scores, units = np.append(rng.normal(9, 1, 60), 6 + rng.exponential(0.8, 90)), np.repeat([2, 5], [60, 90])
    >>> evidence_by_unit(scores, units.astype(np.int32), np.array([2, 5]), 6.0).round(1).tolist()
    [0.7, -0.1]
    """
    evidence = np.zeros(len(judged))
    for k, unit in enumerate(judged):
        own = scores[units == unit]
        n_scores = max(min(own.size, N_SCORES_MAX), 1)
        evidence[k] = evidence_of_mode(own, floor, clear=CLEAR + per_match_min * n_scores) / n_scores
    return evidence


def _fitted(scores: NDArray[np.float64], floor: float, center: float, *, enough: float) -> float:
    """Log likelihood of a normal distribution above the floor and an exponential one, by expectation maximization."""
    beyond = scores - floor
    spread, share, fall, likelihood = 1.0, 0.5, max(1.0 / max(float(beyond.mean()), 1e-9), FALL_MIN), -math.inf
    for _ in range(N_ITERATIONS):
        edge = (floor - center) / spread
        seen = max(0.5 * math.erfc(edge / math.sqrt(2.0)), 1e-9)
        hidden_rate = math.exp(-0.5 * edge**2) / math.sqrt(2.0 * math.pi) / seen
        normal = np.exp(-0.5 * ((scores - center) / spread) ** 2) / (math.sqrt(2.0 * math.pi) * spread * seen)
        spike, false = share * normal, (1.0 - share) * fall * np.exp(-fall * beyond)
        total = np.maximum(spike + false, 1e-300)
        before, likelihood = likelihood, max(likelihood, float(np.log(total).sum()))
        if likelihood > enough or likelihood - before < CONVERGED:
            break
        weight = spike / total
        n_spikes = max(float(weight.sum()), 1e-9)
        share = n_spikes / scores.size
        excess = float(((1.0 - weight) * beyond).sum())
        fall = max((scores.size - n_spikes + 1e-9) / max(excess, 1e-9), FALL_MIN)
        # Moments of the part above the floor, corrected for the part that the floor hides.
        mean = float((weight * scores).sum()) / n_spikes
        variance = float((weight * (scores - mean) ** 2).sum()) / n_spikes
        shift = spread * hidden_rate
        lost = spread**2 * (edge * hidden_rate - hidden_rate**2)
        center = max(mean - shift, floor)
        spread = min(max(math.sqrt(max(variance - lost, 0.0)), SPREAD_MIN), max(VARIATION_MAX * center, SPREAD_MIN))
    return likelihood
