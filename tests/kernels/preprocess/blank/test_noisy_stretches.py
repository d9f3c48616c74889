"""Noisy stretches: the fast kernel equals a readable reference, with any tiles."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from xephys.kernels.preprocess.blank.noisy_stretches import blank_noisy_stretches, noisy_samples

LIMITS = np.full(4, 2, np.float32)


def reference(traces, thresholds, n_channels_min, reach, guard):
    """A sample is silenced if most samples around one within the guard are beyond threshold on enough channels."""
    beyond = np.abs(traces) > thresholds
    counts = np.array([beyond[max(t - reach, 0) : t + reach + 1].sum(axis=0) for t in range(len(traces))])
    found = (2 * counts > 2 * reach + 1).sum(axis=1) >= n_channels_min
    return np.array([found[max(t - guard, 0) : t + guard + 1].any() for t in range(len(traces))])


def moved(seed=0, n_samples=600, n_channels=4):
    """Noise with two stretches that are eight times as loud, on all channels and on half of them."""
    rng = np.random.default_rng(seed)
    traces = rng.standard_normal((n_samples, n_channels)).astype(np.float32)
    traces[120:180] *= 8
    traces[400:450, :2] *= 8
    return traces


@pytest.mark.parametrize("guard", [0, 7, 900])
@pytest.mark.parametrize("reach", [1, 10, 30])
@pytest.mark.parametrize("n_channels_min", [1, 2, 4])
def test_samples_equal_those_of_the_reference(n_channels_min, reach, guard):
    traces = moved()
    found = noisy_samples(
        traces, thresholds=LIMITS, n_channels_min=n_channels_min, reach_samples=reach, guard_samples=guard
    )
    assert found.tolist() == reference(traces, LIMITS, n_channels_min, reach, guard).tolist()
    assert found.any()


def test_only_stretches_on_enough_channels_are_found():
    found = noisy_samples(moved(), thresholds=LIMITS, n_channels_min=3, reach_samples=20, guard_samples=0)
    assert found[140:160].all() and not found[:90].any() and not found[210:].any()


def test_a_channel_with_an_infinite_threshold_does_not_count():
    limits = np.array([2, np.inf, np.inf, np.inf], np.float32)
    found = noisy_samples(moved(), thresholds=limits, n_channels_min=2, reach_samples=20, guard_samples=0)
    assert not found.any()


def test_many_large_spikes_are_not_a_noisy_stretch():
    traces = moved()[:100]
    for at in range(5, 95, 15):
        traces[at : at + 5] = 60  # beyond the threshold for a third of the time
    found = noisy_samples(traces, thresholds=LIMITS, n_channels_min=2, reach_samples=30, guard_samples=5)
    assert not found.any()


def test_pieces_with_their_halo_give_the_whole():
    traces, reach, guard = moved(1), 15, 9
    kwargs = {"thresholds": LIMITS, "n_channels_min": 2, "reach_samples": reach, "guard_samples": guard}
    whole = blank_noisy_stretches(traces, before=0, after=0, **kwargs)
    edges = [0, 130, 171, 440, 600]
    pieces = []
    for a, b in pairwise(edges):
        low, high = max(a - reach - guard, 0), min(b + reach + guard, 600)
        pieces.append(blank_noisy_stretches(traces[low:high], before=a - low, after=high - b, **kwargs))
    assert np.array_equal(np.concatenate(pieces), whole)
    assert (whole == 0).all(axis=1).any() and not (whole == 0).all()


def test_the_input_is_unchanged():
    traces = moved(2)
    before = traces.copy()
    blank_noisy_stretches(
        traces, before=0, after=0, thresholds=LIMITS, n_channels_min=2, reach_samples=15, guard_samples=3
    )
    assert np.array_equal(traces, before)
