"""Silence on a device has the samples of the CPU, to the bit."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernels.preprocess.blank.test_common_artifacts import FLAT, noisy
from xephys.kernels.lib.dispatch import to_host
from xephys.kernels.preprocess.blank import common_artifacts as cpu
from xephys.kernels.preprocess.blank import common_artifacts_device as device


@pytest.mark.parametrize("guard", [1, 4, 37])
@pytest.mark.parametrize("halo", [0, 80])
def test_same_silence(xp, guard, halo):
    traces, limits = noisy(guard), np.full(8, 5, np.float32)
    limits[3] = np.inf
    keywords = {
        "before": halo, "after": halo, "thresholds": limits, "n_channels_min": 5, "peak_fraction": FLAT,
        "guard_samples": guard,
    }  # fmt: skip
    expected = cpu.blank_common_artifacts(traces, **keywords)
    assert (expected == 0).all(axis=1).any()
    assert np.array_equal(to_host(device.blank_common_artifacts(xp, xp.asarray(traces), **keywords)), expected)
