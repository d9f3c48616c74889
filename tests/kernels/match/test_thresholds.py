"""The threshold of each template is near the best one, whichever other units fire."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from xephys.kernels.match.limits import checked_limits, minimum_scores
from xephys.kernels.match.thresholds import SpikeScores, balanced_score, balanced_thresholds, score_below_floor


def drawn(seed, *, center, spread, n_spikes, n_false, fall, floor=4.0):
    rng = np.random.default_rng(seed)
    spikes = rng.normal(center, spread, n_spikes)
    return spikes, floor + rng.exponential(1 / fall, n_false)


def reference(scores, floor, start, spread_max):
    """The same fit in NumPy, and the best of the tried thresholds."""
    center, spread, fall, share = max(np.median(scores[scores >= start]), start), 1.0, 3.0, 0.5
    for _ in range(60):
        spike = share * norm.pdf(scores, center, spread) / norm.sf(floor, center, spread)
        false = (1 - share) * fall * np.exp(-fall * (scores - floor))
        weight = spike / (spike + false)
        n = weight.sum()
        hidden = min(n * norm.cdf(floor, center, spread) / norm.sf(floor, center, spread), 3 * n)
        edge = (floor - center) / spread
        ratio = norm.pdf(edge) / norm.cdf(edge)
        below, spread_below = center - spread * ratio, spread * np.sqrt(1 - edge * ratio - ratio**2)
        share, center = n / len(scores), ((weight * scores).sum() + hidden * below) / (n + hidden)
        squares = (weight * (scores - center) ** 2).sum() + hidden * (spread_below**2 + (below - center) ** 2)
        spread = np.clip(np.sqrt(squares / (n + hidden)), 0.9, spread_max)
        fall = np.clip((1 - weight).sum() / ((1 - weight) * (scores - floor)).sum(), 1, 8)
    at = np.linspace(floor, center, 200)
    n_all, n_false = n / norm.sf(floor, center, spread), len(scores) - n
    errors = n_all * norm.cdf(at, center, spread) + n_false * np.exp(-fall * (at - floor))
    return (n_all, center, spread), at[errors.argmin()]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("center", "spread", "n_false", "fall"), [(7, 1.0, 300, 1.5), (9, 1.6, 1500, 1.2), (6.5, 1.1, 20, 3.0)]
)
def test_errors_are_few_more_than_with_the_best_threshold(seed, center, spread, n_false, fall):
    spikes, false = drawn(seed, center=center, spread=spread, n_spikes=400, n_false=n_false, fall=fall)
    scores = np.concatenate([spikes[spikes >= 4], false])
    found, of_spikes = balanced_score(scores, 4.0, 4.8, 2.5)
    expected, best = reference(scores, 4.0, 4.8, 2.5)
    assert found == pytest.approx(best, abs=0.03)
    assert of_spikes == pytest.approx(expected, rel=0.01)

    def errors(at):
        return (spikes < at).sum() + (false >= at).sum()

    fewest = min(errors(at) for at in np.linspace(4, 9, 200))
    assert errors(found) <= fewest + 0.03 * len(spikes) + 3


def test_too_few_matches_give_no_estimate():
    for scores in (np.full(19, 8.0), np.full(100, 4.2), np.zeros(0)):
        assert np.isnan(balanced_score(scores, 4.0, 5.0, 2.0)[0])


def thresholds_of(units, amplitudes, energies, gains=None, **parameters):
    gains = np.ones(len(energies)) if gains is None else gains
    return balanced_thresholds(
        units, amplitudes, energies=np.asarray(energies), gains=gains, noise_gain=1.0, match_threshold=5.0, **parameters
    )


def amplitudes_of(sizes, energy, precision=100.0):
    """The amplitudes that matching reports for spikes of these sizes, with its prior."""
    return (sizes * energy + precision) / (energy + precision)


def test_a_small_isolated_unit_gets_a_lower_threshold_and_one_among_others_a_higher():
    rng = np.random.default_rng(0)
    quiet = rng.normal(6.5, 1.1, 400) / 6.5
    crowded = np.concatenate([rng.normal(9, 1.2, 400), 5.0 + rng.exponential(0.8, 1500)]) / 9.0
    units = np.repeat([0, 1], [len(quiet), len(crowded)])
    energies = [6.5**2, 9.0**2]
    amplitudes = np.concatenate([amplitudes_of(quiet, energies[0]), amplitudes_of(crowded, energies[1])])
    low, high = thresholds_of(units, amplitudes, energies)
    assert 4.0 <= low <= 4.4
    assert 5.3 < high <= 6.5


@pytest.mark.parametrize("moves", [False, True])
def test_matches_smaller_than_any_spike_are_left_out(moves):
    # A large unit, spread by noise and a tenth of its size: no spike of 400 has half of its size, which noise reaches.
    rng = np.random.default_rng(2)
    energy, units = 14.0**2, np.zeros(402, np.int64)
    spikes, noise = rng.normal(1, np.hypot(0.1, 1 / 14), 400), np.array([0.49, 0.45])
    assert spikes.min() > 0.55
    amplitudes = amplitudes_of(np.concatenate([spikes, noise]), energy)
    given = {"spike_energies": np.full(402, energy)} if moves else {}
    (threshold,) = thresholds_of(units, amplitudes, [energy], **given)
    gains = amplitudes**2 * (energy + 100.0) - 100.0
    assert gains[400:].max() < threshold**2 < gains[:400].min()


def test_small_spikes_are_kept_where_sizes_vary_so_much():
    rng = np.random.default_rng(3)
    energy = 30.0**2
    sizes = rng.normal(1, 0.19, 2000)
    assert ((sizes > 0.4) & (sizes < 0.55)).sum() > 5
    sizes = sizes[sizes > 0.4]
    found = thresholds_of(np.zeros(len(sizes), np.int64), amplitudes_of(sizes, energy), [energy])
    assert found == pytest.approx(4.0)


def test_below_the_floor_there_are_as_many_spikes_as_the_fit_lets_expect():
    spikes = SpikeScores(1000.0, 10.0, 2.0)
    expected = 1000 * (norm.cdf(6, 10, 2) - norm.cdf([5.5, 4.5, 4], 10, 2))
    rng = np.random.default_rng(4)

    def drawn_below(n):
        return 4 + 2 * rng.random(n)

    assert score_below_floor(drawn_below(0), 6.0, 4.0, spikes) == 4.0
    assert score_below_floor(drawn_below(int(expected[-1])), 6.0, 4.0, spikes) == 4.0
    assert score_below_floor(drawn_below(2000), 6.0, 4.0, spikes) > 5.9
    few_above = np.concatenate([np.full(int(expected[0]), 5.7), np.full(100, 4.4)])
    assert 4.4 < score_below_floor(few_above, 6.0, 4.0, spikes) < 5.7


def test_few_matches_and_empty_templates_keep_the_default():
    found = thresholds_of(np.array([1, 1]), np.ones(2), [0.0, 50.0, 50.0])
    assert found.tolist() == [5.0, 5.0, 5.0]
    assert thresholds_of(np.zeros(0, np.int64), np.zeros(0), []).tolist() == []


def test_the_order_of_units_does_not_matter():
    rng = np.random.default_rng(1)
    units, sizes = rng.integers(0, 3, 900), rng.normal(1, 0.15, 900)
    energies = np.array([49.0, 81.0, 64.0])
    amplitudes = amplitudes_of(sizes, energies[units])
    found = thresholds_of(units, amplitudes, energies)
    np.testing.assert_array_equal(thresholds_of(2 - units, amplitudes, energies[::-1])[::-1], found)


def test_each_template_is_matched_with_its_own_threshold():
    energies, thresholds = np.array([50.0, 50.0, 80.0]), np.array([4.0, 5.0, 6.0])
    each = minimum_scores(energies, thresholds, limits=checked_limits(match_threshold=4.0))
    alone = [
        minimum_scores(energies[[unit]], limits=checked_limits(match_threshold=threshold))[0]
        for unit, threshold in enumerate(thresholds)
    ]
    np.testing.assert_array_equal(each, alone)


def test_scores_of_a_moving_template_are_those_of_the_place():
    # Half of the spikes are seen where the template has four times the energy that it has at rest.
    rng = np.random.default_rng(0)
    n, rest = 400, 49.0
    energies = np.where(np.arange(n) % 2 == 0, rest, 4 * rest)
    precision = 100.0
    scores = np.sqrt(energies) + rng.standard_normal(n)
    amplitudes = (scores * np.sqrt(energies) + precision) / (energies + precision)
    given = {"gains": np.ones(1), "noise_gain": 1.0, "match_threshold": 5.0}
    units = np.zeros(n, np.int64)
    moving = balanced_thresholds(units, amplitudes, energies=np.array([rest]), spike_energies=energies, **given)
    still = balanced_thresholds(units, amplitudes, energies=np.array([rest]), **given)
    one = balanced_thresholds(units, amplitudes, energies=np.array([rest]), spike_energies=np.full(n, rest), **given)
    np.testing.assert_allclose(one, still)
    assert 4.0 <= moving[0] <= 6.5
