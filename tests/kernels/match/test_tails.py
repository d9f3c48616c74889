"""Whether scores have a mode, against a direct search for the most likely distributions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, special, stats

from xephys.kernels.match import tails
from xephys.kernels.match.tails import evidence_of_mode

FLOOR = 5.6


def scores_of(seed, n_spikes, n_false, center=8.5):
    rng = np.random.default_rng(seed)
    spikes = rng.normal(center, 1.1, n_spikes)
    return np.concatenate([spikes[spikes > FLOOR], FLOOR + rng.exponential(0.9, n_false)])


def searched(scores):
    """The evidence with parameters that a simplex finds from several starts."""

    def loss(values):
        center, spread, share, fall = values
        least, most = tails.SPREAD_MIN, max(tails.VARIATION_MAX * center, tails.SPREAD_MIN)
        if center < FLOOR or not least <= spread <= most or not 0 <= share <= 1 or fall < tails.FALL_MIN:
            return np.inf
        seen = special.ndtr((center - FLOOR) / spread)
        spikes = np.exp(-0.5 * ((scores - center) / spread) ** 2) / (np.sqrt(2 * np.pi) * spread * seen)
        return -np.log(share * spikes + (1 - share) * fall * np.exp(-fall * (scores - FLOOR)) + 1e-300).sum()

    starts = [(c, 1.0, p, 1.0) for c in (6.0, 7.5, 9.0) for p in (0.2, 0.8)]
    options = {"maxiter": 600, "xatol": 1e-3, "fatol": 1e-4}
    both = max(-optimize.minimize(loss, at, method="Nelder-Mead", options=options).fun for at in starts)
    alone = stats.expon.logpdf(scores, FLOOR, min((scores - FLOOR).mean(), 1 / tails.FALL_MIN)).sum()
    return both - alone - 1.5 * np.log(len(scores))


@pytest.mark.parametrize(("n_spikes", "n_false"), [(0, 70), (0, 300), (30, 40), (200, 20), (25, 200)])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_evidence_is_that_of_a_direct_search(seed, n_spikes, n_false):
    scores = scores_of(seed, n_spikes, n_false)
    found, best = evidence_of_mode(scores, FLOOR), searched(scores)
    assert found >= tails.CLEAR if best >= tails.CLEAR + 0.5 else found == pytest.approx(best, abs=0.5)


@pytest.mark.parametrize("n_false", [30, 70, 300, 3000])
def test_tails_are_no_neurons(n_false):
    found = [evidence_of_mode(scores_of(seed, 0, n_false), FLOOR) for seed in range(40)]
    assert np.mean(np.array(found) < 0) >= 0.95


@pytest.mark.parametrize("center", [8.5, 12.0, 30.0])
def test_spikes_of_a_neuron_among_false_alarms_are_believed(center):
    found = [evidence_of_mode(scores_of(seed, 60, 40, center), FLOOR) for seed in range(40)]
    assert np.mean(np.array(found) > 0) >= 0.95


def test_the_order_of_the_scores_does_not_matter_and_few_do_not_tell():
    scores = scores_of(3, 30, 30)
    assert evidence_of_mode(scores[::-1].copy(), FLOOR) == evidence_of_mode(scores, FLOOR)
    assert evidence_of_mode(scores[: tails.N_SCORES_MIN - 1], FLOOR) == 0.0


def test_scores_that_fell_below_the_floor_tell_nothing():
    """Whatever they are: as false alarms that far below the floor, they would be impossibly likely."""
    scores = scores_of(4, 60, 0)
    assert evidence_of_mode(np.append(scores, [FLOOR - 0.7, 0.0, -3.0]), FLOOR) == evidence_of_mode(scores, FLOOR)


def test_the_search_goes_on_until_the_evidence_is_as_clear_as_asked():
    scores = scores_of(5, 400, 100)
    found = evidence_of_mode(scores, FLOOR, clear=1e9)
    assert found > evidence_of_mode(scores, FLOOR) >= tails.CLEAR
    assert found == pytest.approx(searched(scores), abs=0.5)
