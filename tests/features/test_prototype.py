"""The waveform used in place of one learned from spikes."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.features.prototype import PROTOTYPE_SIGMA_MS, trough_prototype


@pytest.mark.parametrize("rate", [20_000.0, 30_000.0])
def test_it_is_a_negative_gaussian_around_the_peak(rate):
    made = trough_prototype(61, nbefore=20, sampling_frequency=rate)
    assert made.argmin() == 20
    assert made[20] == -1.0
    np.testing.assert_allclose(made[:20], made[21:41][::-1])
    one_sigma = np.interp(PROTOTYPE_SIGMA_MS, (np.arange(61) - 20) / rate * 1e3, made)
    assert one_sigma == pytest.approx(-np.exp(-0.5), abs=0.01)
