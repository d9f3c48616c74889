"""Of spikes too close to come from one neuron, the better match stays."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from xephys.kernels.curate import repeats
from xephys.kernels.curate.repeats import close_spikes, drop_repeats

SPIKE = [("sample_index", "i8"), ("unit_index", "i8"), ("gain", "f8")]


def reference(spikes, dead_samples):
    """Round by round, the weaker of each pair of neighbors that are too close is removed."""
    rows = sorted(spikes.tolist(), key=lambda row: (row[1], row[0]))
    while True:
        weaker = {
            k if rows[k][2] < rows[k + 1][2] else k + 1
            for k in range(len(rows) - 1)
            if rows[k][1] == rows[k + 1][1] and rows[k + 1][0] - rows[k][0] < dead_samples
        }
        if not weaker:
            return sorted(rows, key=lambda row: (row[0], row[1]))
        rows = [row for k, row in enumerate(rows) if k not in weaker]


def random_spikes(n):
    rng = np.random.default_rng(2)
    spikes = np.zeros(n, SPIKE)
    spikes["sample_index"] = np.sort(rng.integers(0, 10 * n, n))
    spikes["unit_index"], spikes["gain"] = rng.integers(0, 3, n), rng.random(n)
    return spikes


@pytest.mark.parametrize("n", [0, 1, 300])
def test_result_equals_the_rounds(n):
    spikes = random_spikes(n)
    assert drop_repeats(spikes, dead_samples=15).tolist() == reference(spikes, 15)


def test_of_two_repeats_the_better_match_stays():
    spikes = random_spikes(2000)
    kept = drop_repeats(spikes, dead_samples=15)
    assert (np.diff(kept["sample_index"]) >= 0).all()
    for unit in range(3):
        own = kept[kept["unit_index"] == unit]
        assert (np.diff(own["sample_index"]) >= 15).all()
        before = spikes[spikes["unit_index"] == unit]
        assert own["gain"].max() == before["gain"].max()


@pytest.mark.parametrize("size", [7, 1000])
def test_only_close_spikes_matter(size, monkeypatch):
    monkeypatch.setattr(repeats, "row_blocks", partial(repeats.row_blocks, size=size))
    spikes = random_spikes(500)
    close = close_spikes(spikes["sample_index"], spikes["unit_index"], dead_samples=15)
    gaps = np.abs(spikes["sample_index"][:, None] - spikes["sample_index"][None]).astype(float)
    gaps[(spikes["unit_index"][:, None] != spikes["unit_index"][None]) | np.eye(500, dtype=bool)] = np.inf
    assert close.tolist() == np.flatnonzero(gaps.min(axis=1) < 15).tolist()
    others = np.setdiff1d(np.arange(500), close)
    joined = np.concatenate([spikes[others], drop_repeats(spikes[close], dead_samples=15)])
    assert np.sort(joined, order=["sample_index", "unit_index"]).tolist() == reference(spikes, 15)
