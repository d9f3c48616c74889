"""Waveforms of many units are moved as each is by itself."""

import numpy as np

from xephys.kernels.track.dant.registration import moved_waveforms
from xephys.track.dant import waveformEstimation


def test_all_units_are_moved_as_each_is():
    rng = np.random.default_rng(0)
    positions = np.column_stack([np.tile([0.0, 32.0], 6), 20.0 * np.arange(12)])
    waveforms, shift = rng.standard_normal((5, 12, 4)), rng.choice([0.0, 7.0, -20.0], (5, 2))
    out = np.empty((5, 12, 4, 2))
    moved_waveforms(out, waveforms, positions, shift)
    for i in range(5):
        for k in range(2):
            expected = waveformEstimation(waveforms[i], [0.0, shift[i, k]], positions, [0.0, 0.0])
            np.testing.assert_allclose(out[i, ..., k], expected, atol=1e-9)
