"""Scaling on a device against that for NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.counts import agree
from xephys.kernels.preprocess import scale, scale_device


@pytest.mark.parametrize("gain", [0.195, np.linspace(0.1, 2.0, 40)])
def test_scale(xp, counts, gain):
    keywords = {"before": 3, "after": 7, "gain": gain, "offset": np.arange(40.0)}
    agree(scale_device.scale(xp, xp.asarray(counts), **keywords), scale.scale(counts, **keywords), 1e-6)
