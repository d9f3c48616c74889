"""Artifacts on many channels: the fast kernel equals a readable reference, with any tiles."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from xephys.kernels.preprocess.blank.common_artifacts import artifact_samples, blank_common_artifacts

FLAT = 0.25


def reference(traces, thresholds, n_channels_min, guard):
    """A sample is silenced if a sample within the guard has enough channels beyond threshold and near the largest."""
    size = np.abs(traces)
    peak = np.array([size[max(t - guard, 0) : t + guard + 1].max() for t in range(len(traces))])
    crowded = (size > np.maximum(thresholds, FLAT * peak[:, None])).sum(axis=1) >= n_channels_min
    return np.array([crowded[max(t - guard, 0) : t + guard + 1].any() for t in range(len(traces))])


def noisy(seed=0, n_samples=500, n_channels=8):
    rng = np.random.default_rng(seed)
    traces = rng.standard_normal((n_samples, n_channels)).astype(np.float32)
    for at in rng.integers(0, n_samples, 5):
        traces[at : at + 3] += 20 * rng.choice([-1, 1], n_channels)
    return traces


@pytest.mark.parametrize("guard", [0, 1, 7, 600])
@pytest.mark.parametrize("n_channels_min", [1, 4, 8])
def test_samples_equal_those_of_the_reference(guard, n_channels_min):
    traces, thresholds = noisy(), np.linspace(2, 4, 8).astype(np.float32)
    found = artifact_samples(
        traces, thresholds=thresholds, n_channels_min=n_channels_min, peak_fraction=FLAT, guard_samples=guard
    )
    assert found.tolist() == reference(traces, thresholds, n_channels_min, guard).tolist()
    assert found.any()


def test_a_channel_with_an_infinite_threshold_does_not_count():
    traces = np.zeros((9, 2), np.float32)
    traces[4] = 100
    limits = np.array([5, np.inf], np.float32)
    found = artifact_samples(traces, thresholds=limits, n_channels_min=2, peak_fraction=FLAT, guard_samples=0)
    assert not found.any()


def test_a_footprint_that_falls_off_is_not_an_artifact():
    traces = np.zeros((9, 5), np.float32)
    traces[2], traces[6] = [100, 20, 20, 20, 20], [100, 30, 30, 30, 30]
    limits = np.full(5, 10, np.float32)
    found = artifact_samples(traces, thresholds=limits, n_channels_min=4, peak_fraction=FLAT, guard_samples=0)
    assert np.flatnonzero(found).tolist() == [6]


def test_pieces_with_their_halo_give_the_whole():
    traces, limits = noisy(1), np.full(8, 5, np.float32)
    guard = 9
    kwargs = {"thresholds": limits, "n_channels_min": 6, "peak_fraction": FLAT, "guard_samples": guard}
    whole = blank_common_artifacts(traces, before=0, after=0, **kwargs)
    edges = [0, 100, 233, 500]
    pieces = []
    for a, b in pairwise(edges):
        low, high = max(a - 2 * guard, 0), min(b + 2 * guard, 500)
        pieces.append(blank_common_artifacts(traces[low:high], before=a - low, after=high - b, **kwargs))
    assert np.array_equal(np.concatenate(pieces), whole)
    assert (whole == 0).all(axis=1).any() and not (whole == 0).all()


def test_the_input_is_unchanged():
    traces = noisy(2)
    before = traces.copy()
    limits = np.full(8, 5, np.float32)
    blank_common_artifacts(
        traces, before=0, after=0, thresholds=limits, n_channels_min=6, peak_fraction=FLAT, guard_samples=3
    )
    assert np.array_equal(traces, before)
