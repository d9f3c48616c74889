"""Noisy stretches: the fast kernel equals a readable reference, with any tiles."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from xephys.kernels.preprocess.blank.noisy_stretches import blank_noisy_stretches, noisy_samples

LIMITS = np.full(4, 2, np.float32)


def is_even(window, threshold, n_samples):
    """Whether most samples exceed a level from the threshold on, and hardly any exceed four times that level."""
    for step in range(12):
        level, high = np.float32(threshold * 2.0 ** (step / 4)), np.float32(threshold * 2.0 ** ((step + 8) / 4))
        if 2 * (window > level).sum() > n_samples and (window > high).sum() <= n_samples // 20:
            return True
    return 2 * (window > np.float32(8 * threshold)).sum() > n_samples


def reference(traces, thresholds, n_channels_min, reach, guard):
    """A sample is silenced if one within the guard is in a noisy window on enough channels."""
    size, n = np.abs(traces), 2 * reach + 1
    found = np.zeros(len(traces), bool)
    for t in range(len(traces)):
        window = size[max(t - reach, 0) : t + reach + 1]
        noisy = [is_even(own, threshold, n) for own, threshold in zip(window.T, thresholds, strict=True)]
        found[t] = sum(noisy) >= n_channels_min
    return np.array([found[max(t - guard, 0) : t + guard + 1].any() for t in range(len(traces))])


def moved(seed=0, n_samples=600, n_channels=4):
    """Noise with two stretches that are eight times as loud, on all channels and on half of them."""
    rng = np.random.default_rng(seed)
    traces = rng.standard_normal((n_samples, n_channels)).astype(np.float32)
    traces[120:200] *= 8
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


@pytest.mark.parametrize("loud", [3.0, 9.0, 40.0, 400.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_stretches_of_any_loudness_equal_those_of_the_reference(loud, seed):
    rng = np.random.default_rng(seed)
    traces = (rng.standard_normal((400, 3)) * rng.choice([1.0, loud], (400, 1))).astype(np.float32)
    traces[100:300] *= loud
    found = noisy_samples(traces, thresholds=LIMITS[:3], n_channels_min=2, reach_samples=25, guard_samples=0)
    assert found.tolist() == reference(traces, LIMITS[:3], 2, 25, 0).tolist()


def test_a_burst_that_does_not_fade_between_its_spikes_is_not_a_noisy_stretch():
    """Spikes of 60 noise levels every 5 ms, of which three quarters of the samples exceed 2 noise levels."""
    traces = moved()[:100]
    fading = np.array([60, 40, 25, 14, 8, 5, 4, 3, 3, 3, 3], np.float32)
    for at in range(5, 95, 15):
        traces[at : at + len(fading)] = fading[:, None]
    assert (np.median(np.abs(traces), axis=0) > LIMITS).all()
    found = noisy_samples(traces, thresholds=LIMITS, n_channels_min=2, reach_samples=30, guard_samples=5)
    assert not found.any()


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
