"""Excerpts: seeded, spread over the recording, in order."""

from __future__ import annotations

import numpy as np

from xephys.recording.excerpts import sample_traces
from xephys.testing import simulate_recording


def test_excerpts_are_seeded_spread_and_ordered():
    rec, _ = simulate_recording(duration_s=12, n_channels=2, n_units=1)
    parts = sample_traces(rec, n_slices=4, slice_duration_s=0.2, seed=1)
    assert [part.shape for part in parts] == [(6000, 2)] * 4
    again = sample_traces(rec, n_slices=4, slice_duration_s=0.2, seed=1)
    assert all(np.array_equal(a, b) for a, b in zip(parts, again, strict=True))
    other = sample_traces(rec, n_slices=4, slice_duration_s=0.2, seed=2)
    assert not all(np.array_equal(a, b) for a, b in zip(parts, other, strict=True))
