"""Silence equals that of a readable reference: runs of equal values, and what they are filled with."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest

from xephys.kernels.preprocess.silence import beside_silence, fill_silence, live_rows, silent_runs, silent_samples

N, CHANNELS, RUN = 600, 6, 20


def recorded(seed, dtype="int16"):
    """Noise around offsets, with silent stretches of several lengths on one, some and all channels."""
    rng = np.random.default_rng(seed)
    traces = np.round(rng.normal(0, 12, (N, CHANNELS)) + rng.uniform(-500, 500, CHANNELS)).astype(dtype)
    traces[50 : 50 + RUN - 1, 0] = 7  # one sample too short
    traces[100 : 100 + RUN, 1] = 0
    traces[200:290, 2:5] = 32767
    traces[400:470] = traces[399]
    traces[590:, 5] = -3  # too short at the end
    return traces


def silent_by_hand(traces):
    silent = np.zeros(traces.shape, bool)
    for c in range(traces.shape[1]):
        t = 0
        for _, group in groupby(traces[:, c]):
            length = len(list(group))
            silent[t : t + length, c] = length >= RUN
            t += length
    return silent


@pytest.mark.parametrize("dtype", ["int16", "float32", "uint16"])
@pytest.mark.parametrize("seed", range(3))
def test_silence_is_a_long_run_of_equal_values(seed, dtype):
    traces = recorded(seed, dtype if dtype != "uint16" else "int16").astype(dtype)
    silent = silent_samples(traces, RUN)
    assert np.array_equal(silent, silent_by_hand(traces))
    assert silent[100:120, 1].all() and silent[400:470].all() and not silent[50:69, 0].any()


@pytest.mark.parametrize("seed", range(3))
def test_silence_is_filled_from_live_neighbors(seed):
    traces, rng = recorded(seed), np.random.default_rng(seed)
    neighbors = np.array([[c - 1, c + 1 if c + 1 < CHANNELS else -1] for c in range(CHANNELS)], np.int32)
    weights = rng.uniform(0.1, 1, neighbors.shape).astype(np.float32)
    silent = silent_by_hand(traces)
    levels = [traces[~silent[:, c], c].astype(float).mean() for c in range(CHANNELS)]
    expected = traces.astype(np.float64)
    for t, c in np.argwhere(silent):
        live = [(n, w) for n, w in zip(neighbors[c], weights[c], strict=True) if n >= 0 and not silent[t, n]]
        total = sum(w for _, w in live)
        expected[t, c] = levels[c] + (sum(w * (traces[t, n] - levels[n]) for n, w in live) / total if live else 0)
    found = fill_silence(traces, before=0, after=0, n_samples_min=RUN, neighbors=neighbors, weights=weights)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-2)
    inner = fill_silence(traces, before=30, after=40, n_samples_min=RUN, neighbors=neighbors, weights=weights)
    assert np.array_equal(inner, found[30:-40])


def test_live_rows():
    silent = np.zeros((100, 4), bool)
    silent[:, 3] = True  # a dead channel does not count
    silent[:60, :3] = True
    (rows,) = live_rows([silent])
    assert np.array_equal(rows, np.arange(100) >= 60)
    silent[60:, 0] = True
    (rows,) = live_rows([silent])
    assert np.array_equal(rows, np.arange(100) >= 60)  # most channels are live there
    (rows,) = live_rows([np.ones((100, 4), bool)])
    assert rows.all()


@pytest.mark.parametrize("cut", [RUN, 110, 300, 430])
def test_runs_of_tiles_are_the_silent_samples(cut):
    traces = recorded(1)
    padded = np.pad(traces, ((RUN, RUN), (0, 0)), mode="reflect")
    tiles = [(0, cut), (cut, N)]
    runs = np.concatenate([
        silent_runs(padded[a : b + 2 * RUN], before=RUN, after=RUN, start=a, n_samples_min=RUN) for a, b in tiles
    ])  # fmt: skip
    found = np.zeros(traces.shape, bool)
    for run in runs:
        found[run["sample_index"] : run["sample_index"] + run["num_samples"], run["channel_index"]] = True
    assert np.array_equal(found, silent_samples(padded, RUN)[RUN:-RUN])


def test_events_beside_silence_are_those_with_a_silent_neighbor():
    traces, rng = recorded(2), np.random.default_rng(0)
    neighbors = np.array([[c, c + 1 if c + 1 < CHANNELS else -1] for c in range(CHANNELS)], np.int32)
    runs = silent_runs(traces, before=0, after=0, start=0, n_samples_min=RUN)
    samples, channels = np.sort(rng.integers(0, N, 300)), rng.integers(0, CHANNELS, 300)
    silent = silent_by_hand(traces)
    for guard in (0, 9):
        expected = [
            silent[max(s - guard, 0) : s + guard + 1, [k for k in neighbors[c] if k >= 0]].any()
            for s, c in zip(samples, channels, strict=True)
        ]
        found = beside_silence(samples, channels, runs, neighbors=neighbors, guard_samples=guard)
        assert found.tolist() == expected
    assert not beside_silence(samples, channels, runs[:0], neighbors=neighbors, guard_samples=9).any()
