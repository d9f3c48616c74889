"""Fingerprints are aligned to their mean by whole bins of the true displacement."""

from __future__ import annotations

import numpy as np

from xephys.motion.alignment import Prints, align_to_mean, amplitude_levels
from xephys.motion.shank_peaks import ShankPeaks


def test_levels_are_evenly_spaced_in_the_logarithm():
    amplitude = np.array([5.0, 10.0, 20.0, 40.0, 79.0, 1000.0], np.float32)
    assert amplitude_levels(amplitude, 3, (10.0, 80.0)).tolist() == [0, 0, 1, 2, 2, 2]


def test_shifts_equal_the_displacement_of_the_tissue():
    rng = np.random.default_rng(0)
    home = rng.choice(np.arange(300.0, 700.0, 10.0), 25, replace=False) + 5  # the middle of a bin
    true = np.array([0, 1, 3, 2, -1, -2, 0, 4])
    depth = (home + 10.0 * true[:, None]).ravel().astype(np.float32)
    offsets = 25 * np.arange(9)
    peaks = ShankPeaks(offsets, depth, np.ones(200, np.float32), 1.0, (0.0, 1000.0))
    prints = Prints(peaks, np.zeros(200, np.int64), 1, 0.0, 10.0, 100, False)
    np.testing.assert_allclose(prints.depth_um[:2], [5.0, 15.0])
    applied, _ = align_to_mean(prints, n_rounds=4, shift_max=8)
    assert (-(applied - applied[0])).tolist() == (true - true[0]).tolist()
