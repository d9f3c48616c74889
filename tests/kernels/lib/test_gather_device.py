"""Waveforms gathered on a device, in parts whose size is bounded."""

from __future__ import annotations

import numpy as np

from xephys.kernels.lib import gather_device
from xephys.kernels.lib.dispatch import to_host


def test_waveforms_are_those_of_a_loop(xp):
    traces = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    rows, channels = np.array([0, 17, 40]), np.array([[0, 2, -1], [3, -1, -1], [1, 2, 3]])
    found = to_host(gather_device.gathered_windows(xp, xp.asarray(traces), xp.asarray(rows), xp.asarray(channels), 10))
    assert (found.dtype, found.shape) == (np.float32, (3, 10, 3))
    for event in range(3):
        for slot, channel in enumerate(channels[event]):
            expected = traces[rows[event] : rows[event] + 10, channel] if channel >= 0 else np.zeros(10)
            np.testing.assert_array_equal(found[event, :, slot], expected)


def test_parts_cover_all_events_once(monkeypatch):
    monkeypatch.setattr(gather_device, "GATHERED", 100)
    for n, each, most in ((0, 10, 10), (25, 10, 10), (7, 1000, 1), (30, 33, 3)):
        parts = gather_device.event_parts(n, each)
        assert [k for part in parts for k in range(part.start, part.stop)] == list(range(n))
        assert all(part.stop - part.start <= most for part in parts)
