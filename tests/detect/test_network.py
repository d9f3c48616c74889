"""The network as an operation: it finds spikes where they are, lazily."""

import numpy as np
import pytest

import xephys
from xephys.testing import forbid_compute, simulate_recording


@pytest.fixture(scope="module")
def simulated():
    recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=3, amplitude_range_uv=(120, 200))
    filtered = xephys.bandpass_filter(recording)
    return filtered, xephys.estimate_noise_levels(filtered), truth


def test_large_spikes_are_found_on_time(simulated):
    filtered, noise, truth = simulated
    found = xephys.detect_by_network(filtered, noise_levels=noise).compute()
    true = truth.spikes
    for unit in range(2):
        at = true["sample_index"][true["unit_index"] == unit]
        mine = found[found["channel_index"] == truth.peak_channels[unit]]["sample_index"]
        nearest = np.abs(mine[np.searchsorted(mine, at).clip(1, len(mine) - 1)] - at)
        nearest = np.minimum(nearest, np.abs(mine[np.searchsorted(mine, at).clip(1, len(mine) - 1) - 1] - at))
        assert (nearest <= 3).mean() > 0.95
    assert (found["probability"] >= 0.1).all() and (found["amplitude"] < 0).all()


def test_nothing_is_computed_and_tasks_are_few(simulated):
    filtered, noise, _ = simulated
    with forbid_compute():
        table = xephys.detect_by_network(filtered, noise_levels=noise)
    assert table.n_chunks == filtered.data.numblocks[0]
    assert table.data.name == xephys.detect_by_network(filtered, noise_levels=noise).data.name
    assert table.data.name != xephys.detect_by_network(filtered, noise_levels=noise, probability_min=0.9).data.name


def test_the_sign_is_that_of_the_trace(simulated):
    filtered, noise, _ = simulated
    down = xephys.detect_by_network(filtered, noise_levels=noise).compute()
    up = xephys.detect_by_network(-filtered, noise_levels=noise.values, peak_sign="pos").compute()
    np.testing.assert_array_equal(down["sample_index"], up["sample_index"])
    np.testing.assert_array_equal(down["probability"], up["probability"])


def test_detections_and_roots_have_thresholds_of_their_own(simulated):
    filtered, noise, _ = simulated
    network = xephys.realtime.read_network("neuropixels").assign_attrs(stringent_thresh=0.2, loose_thresh=0.1)
    network.attrs.pop("probability_min", None)
    given = {"noise_levels": noise, "network": network}

    def least(detect):
        return float(detect(filtered, **given).compute()["probability"].min())

    roots = xephys.detect_codetections(filtered, **given).compute()
    assert 0.2 <= least(xephys.detect_by_network) < 0.6
    network.attrs["probability_min"] = 0.6
    assert least(xephys.detect_by_network) >= 0.6
    np.testing.assert_array_equal(xephys.detect_codetections(filtered, **given).compute(), roots)


def test_wrong_input_is_named(simulated):
    filtered, noise, _ = simulated
    with pytest.raises(xephys.ParameterError, match="probability_min is 1; give at least 0 and less than 1"):
        xephys.detect_by_network(filtered, noise_levels=noise, probability_min=1.0)
    with pytest.raises(xephys.ParameterError, match="peak_sign"):
        xephys.detect_by_network(filtered, noise_levels=noise, peak_sign="down")
    with pytest.raises(xephys.RecordingError, match="no channel can give peaks"):
        xephys.detect_by_network(filtered, noise_levels=noise * 0)
