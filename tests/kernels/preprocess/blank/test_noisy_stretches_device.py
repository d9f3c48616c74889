"""Silence on a device has the samples of the CPU, to the bit."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernels.preprocess.blank.test_noisy_stretches import moved
from xephys.kernels.lib.dispatch import to_host
from xephys.kernels.preprocess.blank import noisy_stretches as cpu
from xephys.kernels.preprocess.blank import noisy_stretches_device as device


@pytest.mark.parametrize("reach", [1, 20])
@pytest.mark.parametrize("guard", [1, 37])
@pytest.mark.parametrize("halo", [0, 80])
def test_same_silence(xp, reach, guard, halo):
    traces, limits = moved(guard), np.full(4, 2, np.float32)
    limits[3] = np.inf
    keywords = {
        "before": halo, "after": halo, "thresholds": limits, "n_channels_min": 2, "reach_samples": reach,
        "guard_samples": guard,
    }  # fmt: skip
    expected = cpu.blank_noisy_stretches(traces, **keywords)
    assert (expected == 0).all(axis=1).any() and not (expected == 0).all()
    assert np.array_equal(to_host(device.blank_noisy_stretches(xp, xp.asarray(traces), **keywords)), expected)
