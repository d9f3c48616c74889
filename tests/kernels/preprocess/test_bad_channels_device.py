"""Interpolation of bad channels on a device against that for NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.counts import agree
from xephys.kernels.preprocess import bad_channels, bad_channels_device


def test_interpolation(xp, counts):
    positions = np.stack([np.arange(40) % 2 * 30.0, np.arange(40) // 2 * 20.0], axis=1)
    bad = np.array([3, 4, 20])
    neighbors, weights = bad_channels.interpolation_weights(positions, bad)
    keywords = {"before": 2, "after": 9, "neighbors": neighbors, "weights": weights, "bad": bad}
    values = counts[:300]
    found = bad_channels_device.interpolate_channels(xp, xp.asarray(values), **keywords)
    agree(found, bad_channels.interpolate_channels(values, **keywords), 1e-6)
    with pytest.raises(ValueError, match="a neighbor is itself bad"):
        bad_channels_device.interpolate_channels(
            xp, xp.asarray(values), **{**keywords, "neighbors": np.maximum(neighbors, 3)}
        )
