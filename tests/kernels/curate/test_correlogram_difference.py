"""Correlograms beside SpikeInterface's own steps."""

from __future__ import annotations

import numpy as np
import pytest
from spikeinterface.curation import auto_merge

from xephys.kernels.curate.correlogram_difference import correlogram_differences, smoothed, window_of


def counts(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    lags = np.abs(np.arange(-25, 25) + 0.5)
    rate = 30 * np.clip(lags / 6, 0, 1) * (1 + np.exp(-((lags - 8) ** 2) / 8))
    return rng.poisson(np.broadcast_to(rate, (4, 4, 50)))


@pytest.mark.parametrize("seed", range(3))
def test_windows_and_differences_equal_spikeinterfaces(seed: int) -> None:
    values, edges, n = counts(seed), np.arange(-25, 26.0), np.array([300, 200, 500, 100])
    ours = smoothed(values, edges, censored_ms=0.15, sigma_ms=0.6)
    emptied = values.copy()
    emptied[:, :, (edges[:-1] >= -0.15) & (edges[:-1] < 0.15)] = 0
    theirs = auto_merge.smooth_correlogram(emptied, edges, sigma_smooth_ms=0.6)
    np.testing.assert_allclose(ours, theirs, atol=1e-12)
    windows = []
    for unit in range(4):
        own = theirs[unit, unit]
        windows.append(auto_merge.get_unit_adaptive_window(own, own.max() * 0.5))
        assert window_of(own, own.max() * 0.5) == windows[-1]

    class Sorting:
        unit_ids = np.arange(4)

        def count_num_spikes_per_unit(self, outputs: str) -> np.ndarray:
            return n

    expected = auto_merge.compute_correlogram_diff(Sorting(), theirs, np.array(windows))
    pairs = np.argwhere(np.triu(np.ones((4, 4)), 1))
    found = correlogram_differences(ours, n, pairs, window_share=0.5)
    np.testing.assert_allclose(found, expected[tuple(pairs.T)], rtol=1e-9)


def test_silent_and_flat_correlograms() -> None:
    assert window_of(np.zeros(50), 0.0) == 20
    assert window_of(np.full(50, 1e-9), 1.0) == 1
    assert np.isfinite(
        correlogram_differences(np.zeros((2, 2, 50)), np.array([1, 1]), np.array([[0, 1]]), window_share=0.5)
    )
    assert smoothed(np.zeros((0, 0, 4), int), np.arange(5.0), censored_ms=0.1, sigma_ms=1).shape == (0, 0, 4)
