"""Times at which units are active."""

from __future__ import annotations

import numpy as np

from xephys.kernels.metrics.activity import bin_edges, counts_in_bins, firing_ranges, presence_ratios, synchrony


def test_bins_over_segments() -> None:
    edges = bin_edges(np.array([100, 100]), 30)
    assert edges.tolist() == [0, 30, 60, 90, 100, 130, 160]
    samples, bounds = np.array([5, 40, 45, 95, 120]), np.array([0, 3, 3, 5])
    assert counts_in_bins(samples, bounds, edges).tolist() == [
        [1, 2, 0, 0, 0, 0], [0] * 6, [0, 0, 0, 1, 1, 0],
    ]  # fmt: skip


def test_presence_and_range() -> None:
    counts = np.array([[1, 2, 0, 1], [0, 0, 0, 0]])
    n = counts.sum(axis=1)
    np.testing.assert_array_equal(presence_ratios(counts, n, np.zeros(2)), [0.75, np.nan])
    np.testing.assert_array_equal(presence_ratios(counts, n, np.ones(2)), [0.25, np.nan])
    found = firing_ranges(counts / 5.0, n)
    low, high = np.percentile(counts[0] / 5.0, (5, 95))
    np.testing.assert_allclose(found, [high - low, np.nan])


def test_synchrony_equals_a_plain_count() -> None:
    rng = np.random.default_rng(0)
    moments, units = np.sort(rng.integers(0, 150, 400)), rng.integers(0, 5, 400)
    found = synchrony(moments, units, n_units=6)
    for unit in range(5):
        own = np.unique(moments[units == unit])
        for k, size in enumerate((2, 4, 8)):
            together = [m for m in own if (moments == m).sum() >= size]
            assert found[unit, k] == len(together) / (units == unit).sum()
    assert found[5].tolist() == [-1.0] * 3


def test_no_spikes_at_all() -> None:
    none = np.zeros(0, np.int64)
    assert synchrony(none, none, n_units=1).tolist() == [[-1.0] * 3]
