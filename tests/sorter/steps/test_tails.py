"""Units that noise alone could have made are kept if their scores tell of a neuron."""

import numpy as np
import pytest
import xarray as xr

from xephys.kernels.cluster.shape import cluster_means
from xephys.sorter.steps.tails import Weakest, strength_of, without_neuron

FLOOR = 4.0


def templates_of(waveform):
    return xr.Dataset({"waveform": (("unit", "sample", "slot"), waveform)})


def test_strength_is_that_of_the_mean_of_a_cluster():
    """Projections of equal spikes on both of two channels, as clustering sees them."""
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.standard_normal((20, 3)))[0].T.astype(np.float32)
    waveform = rng.standard_normal((2, 20, 2)).astype(np.float32)
    projection = np.einsum("ks,usc->uck", basis, waveform).astype(np.float32)
    neighbors, channels = np.array([[0, 1], [1, 0]], np.int32), np.zeros(2, np.int64)
    means, _ = cluster_means(projection, channels, np.arange(2, dtype=np.int32), neighbors)
    expected = np.sqrt((means**2).sum(axis=(1, 2))) / 1.3
    components = xr.DataArray(basis, dims=("component", "sample"))
    found = strength_of(templates_of(waveform), components, feature_noise=1.3)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def scores_of(rng, *, center, count):
    """Scores of matches above the floor: of a neuron that far from 0, or of false alarms."""
    if center is None:
        return FLOOR + rng.exponential(0.9, count)
    scores = rng.normal(center, 1.1, 3 * count)
    return scores[scores > FLOOR][:count]


def matches_of(scores):
    matches = np.zeros(sum(map(len, scores)), [("unit_index", "i4"), ("gain", "f8")])
    matches["unit_index"] = np.repeat(np.arange(len(scores)), [len(of_unit) for of_unit in scores])
    matches["gain"] = np.concatenate(scores) ** 2
    return matches


@pytest.mark.parametrize("seed", range(5))
def test_a_weak_neuron_is_kept_and_a_tail_is_not(seed):
    """A neuron whose scores lie around 6.5, with a fifth as many false alarms, and two tails of these."""
    rng = np.random.default_rng(seed)
    neuron = np.append(scores_of(rng, center=6.5, count=200), scores_of(rng, center=None, count=40))
    tails = [scores_of(rng, center=None, count=count) for count in (300, 300)]
    matches, alive = matches_of([neuron, *tails]), np.ones(3, bool)
    target = np.arange(3)
    given = Weakest(matches, FLOOR, np.array([True, True, False]), 0.2)
    assert list(without_neuron(given, target, alive)) == [1]  # unit 2 is strong enough not to be judged
    assert list(without_neuron(given._replace(judged=None), target, alive)) == [1, 2]
    assert list(without_neuron(given, target, np.array([True, False, True]))) == []


def test_spikes_of_templates_that_joined_a_unit_count_as_its_own():
    rng = np.random.default_rng(3)
    matches = matches_of([scores_of(rng, center=None, count=40), scores_of(rng, center=7.0, count=300)])
    alive = np.array([True, False])
    given = Weakest(matches, FLOOR, np.array([True, True]), 0.2)
    assert list(without_neuron(given, np.array([0, 1]), np.array([True, True]))) == [0]
    assert not without_neuron(given, np.array([0, 0]), alive)


def test_where_no_unit_is_judged_no_match_is_read():
    given = Weakest(None, FLOOR, np.zeros(2, bool))  # type: ignore[arg-type]
    assert not without_neuron(given, np.arange(2), np.ones(2, bool))
