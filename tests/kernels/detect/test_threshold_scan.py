"""The scan for extrema equals a loop over samples, and its limits mean exactly the thresholds."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.detect.threshold_scan import find_candidates, scan_limits


def by_loop(traces, first, last, low, high):
    found = []
    for row in range(first, last):
        for c in range(traces.shape[1]):
            before, value, after = traces[row - 1 : row + 2, c]
            if (value <= low[c] and value < before and value <= after) or (
                value >= high[c] and value > before and value >= after
            ):
                found.append((row, c))
    return found


@pytest.mark.parametrize("n_channels", [1, 63, 64, 65, 130])
@pytest.mark.parametrize("rounded", [False, True])
def test_candidates_equal_a_loop(n_channels, rounded):
    traces = np.random.default_rng(n_channels).normal(size=(200, n_channels)).astype(np.float32)
    if rounded:
        traces = np.round(traces)
    mask = np.arange(n_channels) % 7 != 3
    low, high = scan_limits(traces, np.full(n_channels, 1.3), "both", mask, strict=False)
    rows, channels = find_candidates(traces, 1, 199, low, high)
    expected = by_loop(traces, 1, 199, low, high)
    assert list(zip(rows.tolist(), channels.tolist(), strict=True)) == expected
    assert len(expected) > 5


def test_more_candidates_than_the_first_buffer_holds():
    traces = np.where(np.arange(400)[:, None] % 2, -1.0, 1.0) * np.ones((1, 60))
    low, high = scan_limits(traces.astype("f4"), np.full(60, 0.5), "neg", None, strict=False)
    rows, _ = find_candidates(traces.astype("f4"), 1, 399, low, high)
    assert len(rows) == 60 * 199


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("threshold", [0.1, 1 / 3, 5.0, 16777217.0])
def test_limits_are_exact(strict, threshold):
    """A comparison in float32 decides as one of the float64 threshold with the value."""
    low, high = scan_limits(np.zeros((3, 1), "f4"), np.array([threshold]), "both", None, strict=strict)
    near = np.float32(threshold)
    for value in (near, np.nextafter(near, np.float32(0)), np.nextafter(near, np.float32(np.inf))):
        exact = float(value) > threshold if strict else float(value) >= threshold
        assert (value >= high[0]) == exact
        assert (-value <= low[0]) == exact


def test_bad_input_is_refused():
    traces = np.zeros((3, 2), "f4")
    with pytest.raises(ValueError, match=r"thresholds have shape \(3,\); the traces have 2 channels"):
        scan_limits(traces, np.ones(3), "neg", None, strict=False)
    with pytest.raises(ValueError, match="peak_sign is 'down'"):
        scan_limits(traces, np.ones(2), "down", None, strict=False)
    with pytest.raises(ValueError, match=r"threshold of channel 1 is 0.0; it must be positive"):
        scan_limits(traces, np.array([1.0, 0.0]), "neg", None, strict=False)
