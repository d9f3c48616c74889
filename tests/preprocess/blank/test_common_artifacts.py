"""Artifacts on the whole probe are silenced, spikes are not."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from xephys.testing import simulate_recording


@pytest.fixture(scope="module")
def stimulated():
    recording, truth = simulate_recording(
        duration_s=4, n_channels=32, n_units=5, seed=3, amplitude_range_uv=(200.0, 400.0), stimulation_period_s=2.0,
        gain_uv=2.34375, full_scale_uv=2400.0,
    )  # fmt: skip
    filtered = xephys.bandpass_filter(xephys.to_uv(recording))
    return filtered, xephys.estimate_noise_levels(filtered), truth


def test_pulses_are_removed_and_everything_else_is_unchanged(stimulated):
    filtered, levels, truth = stimulated
    silenced = xephys.blank_common_artifacts(filtered, noise_levels=levels)
    before, after = filtered.values, silenced.values
    silent = (after == 0).all(axis=1)
    windows = np.zeros(len(silent), bool)
    for start, stop in truth.artifacts_s * 30_000:
        windows[int(start) - 90 : int(stop) + 90] = True
    assert silent.any() and not silent[~windows].any()
    # A longer chain starts its filter elsewhere, which changes 1e-7 of the largest sample.
    assert np.abs(before - after)[~silent].max() < 1e-6 * np.abs(before).max()
    # Nothing larger than a spike remains of twenty pulses.
    assert np.abs(before).max() > 1000 and np.abs(after[windows]).max() < 450


def test_large_spikes_stay(stimulated):
    filtered, levels, truth = stimulated
    after = xephys.blank_common_artifacts(filtered, noise_levels=levels).values
    outside = np.ones(len(after), bool)
    for start, stop in truth.artifacts_s * 30_000:
        outside[int(start) - 90 : int(stop) + 90] = False
    samples = truth.spikes["sample_index"]
    assert not (after[samples[outside[samples]]] == 0).all(axis=1).any()


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"threshold": 0.0}, "threshold is 0.0"),
        ({"channel_fraction": 1.5}, "channel_fraction is 1.5; it must be above 0 and at most 1"),
        ({"guard_ms": -1.0}, "guard_ms is -1.0"),
        ({"noise_levels": np.ones(3)}, r"noise_levels has shape \(3,\) for 32 channels"),
    ],
)
def test_bad_input_is_refused(stimulated, wrong, text):
    filtered, levels, _ = stimulated
    error = xephys.RecordingError if "noise_levels" in wrong else xephys.ParameterError
    with pytest.raises(error, match=text):
        xephys.blank_common_artifacts(filtered, **{"noise_levels": levels, **wrong})
