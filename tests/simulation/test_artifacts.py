"""Stimuli and broken channels are where the truth says, and nowhere else."""

from __future__ import annotations

import numpy as np

from tests.support.simulated_source import HARD
from xephys.simulation.truth import Truth


def test_dead_channels_are_constant_and_noisy_ones_loud(whole):
    truth = Truth(HARD)
    constant = whole.std(axis=0) == 0
    np.testing.assert_array_equal(np.flatnonzero(constant), truth.dead_channels)
    noise = truth.noise_per_channel_uv
    assert noise[truth.noisy_channels].min() > 3 * np.median(noise)


def test_stimuli_saturate_inside_their_windows_only(whole):
    truth = Truth(HARD)
    full_scale = int(HARD.full_scale_uv / HARD.gain_uv)
    clipped = np.flatnonzero((np.abs(whole) == full_scale).any(axis=1)) / HARD.sampling_frequency
    assert len(clipped) > 0
    windows = truth.artifacts_s
    assert all(((windows[:, 0] - 1e-4 <= t) & (t <= windows[:, 1])).any() for t in clipped)
