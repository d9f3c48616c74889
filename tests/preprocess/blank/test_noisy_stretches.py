"""Movements are silenced on a tetrode; spikes are not, however many there are."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from xephys.testing import simulate_recording


@pytest.fixture(scope="module")
def moving():
    recording, truth = simulate_recording(
        duration_s=8, n_channels=4, n_units=6, probe="tetrode", seed=4, amplitude_range_uv=(80.0, 250.0),
        rate_median_hz=20.0, movement_rate_hz=0.5,
    )  # fmt: skip
    filtered = xephys.bandpass_filter(xephys.to_uv(recording))
    return filtered, xephys.estimate_noise_levels(filtered), truth


def test_most_crossings_of_a_movement_are_removed_and_the_rest_is_unchanged(moving):
    filtered, levels, truth = moving
    before, after = filtered.values, xephys.blank_noisy_stretches(filtered, noise_levels=levels).values
    silent = (after == 0).all(axis=1)
    inside = np.zeros(len(silent), bool)
    for start, stop in truth.artifacts_s * 30_000:
        inside[int(start) : int(stop)] = True
    assert inside.any() and not silent[~inside].any()
    # A longer chain starts its filter elsewhere, which changes 1e-7 of the largest sample.
    assert np.abs(before - after)[~silent].max() < 1e-6 * np.abs(before).max()
    crossing = inside & (np.abs(before) > 5 * levels.values).all(axis=1)
    assert crossing.sum() > 1000 and silent[crossing].mean() > 0.75  # a movement begins and ends gradually


@pytest.mark.parametrize("seed", [1, 2])
def test_bursts_of_large_neurons_are_not_silenced(seed):
    """On a quiet probe, filtered spikes of 400 µV do not fade below the noise before the next one of the burst."""
    recording, truth = simulate_recording(
        duration_s=12, n_channels=16, n_units=4, probe="neuropixels-2", seed=seed, amplitude_range_uv=(300.0, 500.0),
        bursting_fraction=1.0, rate_median_hz=8.0, noise_uv=4.0, spike_shapes=(("propagating", 0.5), ("slow", 0.5)),
    )  # fmt: skip
    filtered = xephys.bandpass_filter(xephys.to_uv(recording))
    levels = xephys.estimate_noise_levels(filtered)
    loud = np.abs(filtered.values).reshape(-1, 600, 16)  # windows of 20 ms
    loud = np.median(loud, axis=1) > 2.5 * 0.6745 * levels.values
    assert (loud.mean(axis=1) >= 0.5).mean() > 0.1
    silent = (xephys.blank_noisy_stretches(filtered, noise_levels=levels).values == 0).all(axis=1)
    assert silent[truth.spikes["sample_index"]].mean() < 0.03


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"factor": 0.0}, "factor is 0.0"),
        ({"window_ms": -1.0}, "window_ms is -1.0"),
        ({"guard_ms": 0.0}, "guard_ms is 0.0"),
        ({"channel_fraction": 1.5}, "channel_fraction is 1.5; it must be above 0 and at most 1"),
        ({"noise_levels": np.ones(3)}, r"noise_levels has shape \(3,\) for 4 channels"),
    ],
)
def test_bad_input_is_refused(moving, wrong, text):
    filtered, levels, _ = moving
    error = xephys.RecordingError if "noise_levels" in wrong else xephys.ParameterError
    with pytest.raises(error, match=text):
        xephys.blank_noisy_stretches(filtered, **{"noise_levels": levels, **wrong})
