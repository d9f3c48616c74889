"""Thresholds of channels and how many of them must agree."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from tests.support.correlated import N, noise_recording
from xephys import ParameterError
from xephys.preprocess.blank.agreement import agreement


def levels(n=N):
    return xr.DataArray(np.arange(1.0, n + 1), dims="channel", attrs={"units": "counts"})


def test_bad_channels_neither_count_nor_exceed():
    found = agreement(noise_recording(bad=np.arange(N) < 3), noise_levels=levels(), factor=2.0, channel_fraction=0.5)
    assert found.thresholds.dtype == np.float32
    assert found.thresholds.tolist() == [np.inf] * 3 + [2.0 * level for level in range(4, 11)]
    assert found.n_channels_min == 4


def test_one_channel_at_least():
    assert agreement(noise_recording(), noise_levels=levels(), factor=2.0, channel_fraction=1e-6).n_channels_min == 1


def test_bad_input_is_refused():
    with pytest.raises(ParameterError, match="channel_fraction is 0; it must be above 0 and at most 1"):
        agreement(noise_recording(), noise_levels=levels(), factor=2.0, channel_fraction=0)
