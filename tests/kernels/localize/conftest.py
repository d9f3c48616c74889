"""Traces and events of known sources."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.localized import AFTER, BEFORE, HALO, POSITIONS, START, C, N
from xephys.kernels.detect.peaks import PEAK_DTYPE


@pytest.fixture(scope="module")
def data():
    """Point sources in noise, and events on their largest channels."""
    rng = np.random.default_rng(0)
    traces = rng.standard_normal((N + 2 * HALO, C)).astype(np.float32)
    events = np.zeros(60, dtype=PEAK_DTYPE)
    events["sample_index"] = START + np.sort(rng.choice(N, events.size, replace=False))
    shape = np.exp(-((np.arange(-BEFORE, AFTER) / 3.0) ** 2))
    for event in events:
        x, y, z = rng.uniform([-10, 0, 8], [42, 220, 45])
        size = 1500 / np.sqrt(((POSITIONS - [x, y]) ** 2).sum(axis=1) + z**2)
        first = event["sample_index"] - START + HALO - BEFORE
        traces[first : first + shape.size] -= np.outer(shape, size).astype(np.float32)
        event["channel_index"] = size.argmax()
    return traces, events
