"""Windows of a train in which few spikes are missing or foreign."""

from __future__ import annotations

import numpy as np

from xephys.kernels.metrics.valid_periods import long_runs, unit_windows, window_edges, window_shares

LIMITS = {"fp_max": 0.1, "fn_max": 0.1, "refractory_samples": 24, "censored_samples": 0}


def test_stretches_of_foreign_and_of_missing_spikes_are_found() -> None:
    rng = np.random.default_rng(0)
    n = 9_000_000
    own = np.sort(rng.choice(np.arange(0, n, 60), 15_000, replace=False))  # at least 2 ms apart
    foreign = np.sort(rng.choice(own[(own > 2_000_000) & (own < 3_000_000)], 500) + 3)
    train = np.sort(np.concatenate([own, foreign]))
    sizes = rng.normal(100, 10, len(train))
    cut = (train > 6_000_000) & (train < 7_000_000) & (sizes < 100)
    train, sizes = train[~cut], sizes[~cut]
    foreign_share, missing, valid = unit_windows(
        train, sizes, np.array([[0, len(train)], [len(train), len(train)]]), np.array([n]), window_samples=1_000_000,
        margin_samples=0, duration_samples_min=1_500_000, **LIMITS,
    )  # fmt: skip
    assert foreign_share[0].argmax() == 2
    assert missing[0].argmax() == 6
    assert foreign_share[0, 2] > 0.1
    assert missing[0, 6] > 0.1
    assert valid[0, [0, 1, 3, 4, 5, 7, 8]].mean() > 0.6
    assert not valid[0, [2, 6]].any()
    assert not valid[1].any()


def test_segments_one_after_another() -> None:
    train = np.arange(0, 100_000, 100)
    sizes = np.random.default_rng(1).normal(100, 5, 2000)
    n = np.array([100_000, 100_000])
    parts = np.array([[0, 1000, 2000]])
    foreign, missing, valid = unit_windows(
        np.tile(train, 2),
        sizes,
        parts,
        n,
        window_samples=60_000,
        margin_samples=10_000,
        duration_samples_min=1,
        **LIMITS,
    )
    assert foreign.shape == missing.shape == valid.shape == (1, 4)
    assert not foreign.any()


def test_margins_reach_beyond_the_window() -> None:
    train = np.concatenate([np.arange(0, 1000, 100), [1000, 1003]])
    parts, n = np.array([[0, 12]]), np.array([2000])
    alone, wide = (
        unit_windows(
            train, np.ones(12), parts, n, window_samples=1000, margin_samples=margin, duration_samples_min=1, **LIMITS
        )[0]
        for margin in (0, 100)
    )
    assert alone[0, 0] == 0
    assert wide[0, 0] > 0


def test_too_few_spikes_count_as_foreign_and_missing() -> None:
    foreign, missing = window_shares(
        np.array([5, 400]), np.ones(2), np.array([0, 0]), np.array([1, 2]), np.array([1000, 1000]),
        refractory_samples=24, censored_samples=0,
    )  # fmt: skip
    assert foreign.tolist() == [1.0, 0.0]
    assert missing.tolist() == [1.0, 1.0]


def test_runs() -> None:
    edges = window_edges(50, 10)
    valid = np.array([True, True, False, True, True])
    assert long_runs(valid, edges, duration_samples_min=20).tolist() == valid.tolist()
    assert not long_runs(valid, edges, duration_samples_min=21).any()
