"""Traces with threshold crossings that coincide on neighboring channels, for the kernels of events."""

from __future__ import annotations

import numpy as np

from xephys.kernels.lib.records_device import Columns

N, CHANNELS, START = 3000, 12, 90_000
EDGES = {"before": 60, "after": 70, "start": START}
NEIGHBORS = np.array(
    [[c, *(d if 0 <= d < CHANNELS else -1 for d in (c - 2, c - 1, c + 1, c + 2))] for c in range(CHANNELS)]
).astype(np.int32)
POSITIONS = np.stack([np.arange(CHANNELS) % 2 * 16.0, np.arange(CHANNELS) * 20.0], axis=1)


def make_traces():
    """Noise that is smoothed in time and over channels."""
    values = np.random.default_rng(2).normal(size=(N, CHANNELS)).astype(np.float32)
    values[1:] += 0.8 * values[:-1]
    values[:, 1:] += 0.7 * values[:, :-1]
    return values


def same_records(found, expected):
    assert isinstance(found, Columns)
    assert found.get().dtype == expected.dtype
    np.testing.assert_array_equal(found.get(), expected)
