"""Statistics of pairs of trains equal those of plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, wasserstein_distance

from xephys.kernels.curate.pair_trains import (
    count_near,
    cross_contaminations,
    merged_violations,
    presence_distances,
)

PAIRS = np.array([[0, 1], [0, 2], [1, 2]])


def trains(seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [np.sort(rng.choice(6000, n, replace=False)) for n in (200, 120, 80)]


def joined(parts: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate(parts), np.cumsum([0, *map(len, parts)])


@pytest.mark.parametrize("seed", range(4))
def test_coincidences_equal_a_plain_loop(seed: int) -> None:
    parts = trains(seed)
    expected = []
    for one, other in PAIRS:
        apart = np.abs(parts[one][:, None] - parts[other][None])
        expected.append((apart < 20).sum() + 0.5 * (apart == 20).sum())
    assert count_near(*joined(parts), PAIRS, 20).tolist() == expected
    assert count_near(*joined(parts), PAIRS, 0).tolist() == [0, 0, 0]


@pytest.mark.parametrize("seed", range(4))
def test_merged_trains_equal_a_plain_loop(seed: int) -> None:
    parts = trains(seed)
    num_spikes, violations = merged_violations(*joined(parts), PAIRS, 6, 30)
    for k, (one, other) in enumerate(PAIRS):
        both = sorted([(s, 0) for s in parts[one]] + [(s, 1) for s in parts[other]])
        kept = [s for m, (s, side) in enumerate(both) if m == 0 or side == both[m - 1][1] or s - both[m - 1][0] > 6]
        apart = np.subtract.outer(kept, kept)
        assert num_spikes[k] == len(kept) < len(both)
        assert violations[k] == ((apart <= 30) & (apart >= 0)).sum() - len(kept)


def test_the_tail_equals_that_of_a_binomial() -> None:
    n, near = np.array([100, 90]), np.array([7.0])
    _, p = cross_contaminations(
        near, n, np.array([[0, 1]]), np.zeros(2), total_samples=60_000, refractory_samples=30, contamination_max=0.1
    )
    assert p[0] == pytest.approx(binom.sf(6, 900, 60 / 60_000))


def test_the_share_of_foreign_spikes_is_recovered() -> None:
    rng = np.random.default_rng(0)
    neuron = np.cumsum(rng.integers(200, 2000, 4000))
    foreign = np.sort(rng.choice(neuron[-1], 800, replace=False))
    own = rng.random(len(neuron)) < 0.5
    parts = [neuron[own], np.sort(np.concatenate([neuron[~own], foreign]))]
    samples, bounds = joined(parts)
    near = count_near(samples, bounds, PAIRS[:1], 100)
    share, _ = cross_contaminations(
        near, np.diff(bounds), PAIRS[:1], np.zeros(2), total_samples=int(neuron[-1]), refractory_samples=100,
        contamination_max=0.1,
    )  # fmt: skip
    assert share[0] == pytest.approx(len(foreign) / len(parts[1]), abs=0.06)


def test_presence() -> None:
    counts = np.random.default_rng(0).integers(0, 5, (3, 12))
    places = np.arange(12) * 2.0
    expected = [wasserstein_distance(places, places, counts[a], counts[b]) for a, b in PAIRS]
    np.testing.assert_allclose(presence_distances(counts, PAIRS, bin_s=2.0), expected)
    assert np.isnan(presence_distances(np.array([[0, 0], [1, 1]]), np.array([[0, 1]]), bin_s=1.0)[0])
