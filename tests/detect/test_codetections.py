"""Codetections as an operation."""

import numpy as np
import pytest

import xephys
from xephys.detect.codetections import channels_around
from xephys.testing import simulate_recording


@pytest.fixture(scope="module")
def simulated():
    recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=3, amplitude_range_uv=(150, 200))
    filtered = xephys.bandpass_filter(recording)
    return filtered, xephys.estimate_noise_levels(filtered), truth


def test_a_spike_has_one_root_near_its_neuron(simulated):
    filtered, noise, truth = simulated
    found = xephys.detect_codetections(filtered, noise_levels=noise).compute()
    large = found[found["amplitudes"][:, 0] > 10]
    true = truth.spikes["sample_index"]
    apart = np.abs(large["sample_index"][:, None] - true[None]).min(axis=1)
    assert (apart <= 6).mean() > 0.95
    assert abs(len(large) / len(true) - 1) < 0.1
    assert np.isin(large["channel_index"], [c + d for c in truth.peak_channels for d in (-2, -1, 0, 1, 2)]).all()


def test_channels_of_other_groups_are_not_around():
    positions = np.array([[0.0, 0], [0, 20], [0, 40], [0, 60]])
    neighbors, n_inner = channels_around(
        positions, groups=np.array([0, 0, 1, 1]), inner_radius_um=30, outer_radius_um=100, n_channels_max=3
    )
    assert neighbors.tolist() == [[0, 1], [1, 0], [2, 3], [3, 2]]
    assert n_inner.tolist() == [2, 2, 2, 2]


def test_wrong_input_is_named(simulated):
    filtered, noise, _ = simulated
    with pytest.raises(xephys.ParameterError, match=r"overlap_ms is 0\.8 with window_ms 0\.5"):
        xephys.detect_codetections(filtered, noise_levels=noise, overlap_ms=0.8)
    with pytest.raises(xephys.ParameterError, match=r"loose_thresh is 0\.9"):
        xephys.detect_codetections(filtered, noise_levels=noise, loose_thresh=0.9, stringent_thresh=0.5)
