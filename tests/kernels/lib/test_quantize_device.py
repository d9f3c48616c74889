"""Rounding to a step on a device: the numbers of the CPU."""

from __future__ import annotations

import numpy as np

from xephys.kernels.lib import quantize_device as device
from xephys.kernels.lib.dispatch import to_host
from xephys.kernels.lib.quantize import quantize


def test_numbers_equal_those_of_the_cpu(xp):
    traces = np.random.default_rng(0).normal(0, 30, (300, 5)).astype(np.float32)
    traces[3] = 1e9
    found = to_host(device.quantize(xp, xp.asarray(traces), before=2, after=3, step=1 / 64))
    assert np.array_equal(found, quantize(traces, before=2, after=3, step=1 / 64))
