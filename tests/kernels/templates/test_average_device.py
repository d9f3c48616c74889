"""Sums of waveforms on a device against those for NumPy."""

from __future__ import annotations

import numpy as np

from tests.support.crossings import CHANNELS, EDGES, START, N
from xephys.kernels.lib.dispatch import to_host
from xephys.kernels.templates import average as templates
from xephys.kernels.templates import average_device as templates_device


def test_sums_of_waveforms(xp, traces):
    rng = np.random.default_rng(4)
    samples = np.sort(rng.integers(START - 500, START + N + 500, 400))
    channels = np.stack([rng.permutation(CHANNELS)[:5] for _ in range(7)]).astype(np.int32)
    channels[2, 3:] = -1
    keywords = {
        **EDGES, "samples": samples, "units": rng.integers(0, 6, 400), "channels": channels, "nbefore": 20,
        "nafter": 41,
    }  # fmt: skip
    sums, counts = templates_device.accumulate_waveforms(xp, xp.asarray(traces), **keywords)
    expected = templates.accumulate_waveforms(traces, **keywords)
    np.testing.assert_allclose(to_host(sums), expected[0], atol=1e-9)
    np.testing.assert_array_equal(to_host(counts), expected[1])
    assert to_host(counts).dtype == expected[1].dtype
