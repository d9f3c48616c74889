"""Peaks against the density of others: what changes slowly is judged by peaks from long before and after."""

from __future__ import annotations

import numpy as np

from xephys.motion.register import register_to_density
from xephys.motion.shank_peaks import ShankPeaks

N_TIMES, HEIGHT_UM = 2400, 640.0


def still_peaks(seed, *, n_units=24, peaks_per_bin=20):
    """Peaks of units at rest, every bin with about as many."""
    rng = np.random.default_rng(seed)
    home, size = rng.uniform(0, HEIGHT_UM, n_units), rng.lognormal(np.log(70), 0.5, n_units)
    counts = rng.poisson(peaks_per_bin, N_TIMES)
    unit = rng.integers(0, n_units, counts.sum())
    depth = home[unit] + rng.normal(0, 5, len(unit))
    amplitude = size[unit] * rng.normal(1, 0.1, len(unit))
    offsets = np.concatenate([[0], np.cumsum(counts)])
    return ShankPeaks(offsets, depth.astype(np.float32), np.abs(amplitude).astype(np.float32), 1.0, (0.0, HEIGHT_UM))


def test_a_slow_error_of_the_first_steps_is_corrected():
    knots = np.linspace(0, HEIGHT_UM, 4)
    start = np.repeat(np.linspace(3.0, -3.0, N_TIMES)[:, None], len(knots), axis=1)
    course, _, _ = register_to_density(still_peaks(0), start, knots, horizon_bins=1000)
    assert np.abs(course).max() < 1.0
    short, _, _ = register_to_density(still_peaks(0), start, knots, horizon_bins=100)
    assert np.abs(short).max() > 2 * np.abs(course).max()
