"""Correlation with a prototype and scores of footprints equal NumPy's."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.detect.matched_filter_scores import correlate_all, scan_scores

TAPS = np.array([0.2, -0.9, 0.3, 0.2, 0.1], np.float32)
NBEFORE = 1


def reference(traces):
    exact = traces.astype("f8")
    return np.stack([np.correlate(column, TAPS.astype("f8"), "valid") for column in exact.T])


@pytest.mark.parametrize("n_samples", [5, 6, 260, 700])
def test_correlation(n_samples):
    traces = np.random.default_rng(0).normal(size=(n_samples, 3)).astype(np.float32)
    found = correlate_all(traces, TAPS)
    assert found.shape == (3, n_samples - 4)
    np.testing.assert_allclose(found, reference(traces), atol=1e-5)


@pytest.mark.parametrize("both", [False, True])
def test_scores_that_reach_the_threshold_at_a_maximum(both):
    traces = np.random.default_rng(1).normal(size=(700, 3)).astype(np.float32)
    channels, weights = np.array([0, 1, 1, 2, 0, 1, 2], np.int32), np.array([0.8, 0.6, 1, 1, 0.5, 0.7, 0.5], np.float32)
    offsets = np.array([0, 2, 3, 7])  # three channels, with footprints of two, one and four entries
    thresholds = np.array([[1.0], [1.5], [np.nan]])
    first, last = 10, 690
    found = scan_scores(traces, first, last, TAPS, NBEFORE, offsets, channels, weights, thresholds, both)
    filtered, expected = reference(traces), set()
    for footprint in range(3):
        own = slice(offsets[footprint], offsets[footprint + 1])
        score = weights[own].astype("f8") @ filtered[channels[own]]
        for row in range(first, last):
            s = score[row - NBEFORE - 1 : row - NBEFORE + 2]
            crest = s[1] >= thresholds[footprint, 0] and s[1] > s[0] and s[1] >= s[2]
            trough = both and -s[1] >= thresholds[footprint, 0] and s[1] < s[0] and s[1] <= s[2]
            if crest or trough:
                expected.add((row, footprint, 0))
    rows, peak_channels, depths, ratios = found
    assert set(zip(rows.tolist(), peak_channels.tolist(), depths.tolist(), strict=True)) == expected
    assert len(expected) > 20
    assert (ratios >= 1).all()
