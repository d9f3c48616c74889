"""Noise of the simulator has the requested spectrum and correlation, and is unchanged if neither is requested."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import welch

from xephys.errors import ParameterError
from xephys.simulation import source as source_module
from xephys.simulation.background import add_thermal, block_length, stream
from xephys.simulation.config import make_config
from xephys.simulation.noise import MEASURED, noise_mixing, noise_taps
from xephys.simulation.probe import make_layout
from xephys.simulation.source import SimulationSource, draw_scene

QUIET = {"n_units": 0, "probe": "neuropixels-1", "gain_uv": 0.02, "full_scale_uv": 600.0, "duration_s": 4.0}


def noise_of(**parameters):
    config = make_config("easy", **QUIET, **parameters)
    return SimulationSource(config).read(0, config.n_samples) * config.gain_uv


@pytest.mark.parametrize("correlation", ["exponential", "gaussian"])
def test_contacts_share_noise_within_the_given_length(correlation):
    traces = noise_of(n_channels=16, noise_length_um=25.0, noise_correlation=correlation)
    xy = make_layout("neuropixels-1", 16).xy
    apart = np.linalg.norm(xy[:, None] - xy[None], axis=2) / 25.0
    wanted = np.exp(-apart if correlation == "exponential" else -(apart**2) / 2)
    np.testing.assert_allclose(np.corrcoef(traces.T), wanted, atol=0.02)
    assert np.all((traces.std(axis=0) > 0.88 * 8) & (traces.std(axis=0) < 1.17 * 8))


def test_channels_are_independent_by_default():
    correlation = np.corrcoef(noise_of(n_channels=8).T)
    assert np.abs(correlation - np.eye(8)).max() < 0.02


def test_noise_has_the_measured_spectrum_and_its_power():
    traces = noise_of(n_channels=4, noise_spectrum="measured", noise_uv=20.0)
    frequency, power = welch(traces, 30_000, nperseg=1024, axis=0)
    density = np.sqrt(power.mean(axis=1))
    at, wanted = np.array(MEASURED[2:]).T  # a filter of 6 ms cannot follow the first points
    ratio = np.interp(at, frequency, density) / wanted
    np.testing.assert_allclose(ratio / ratio.mean(), 1.0, atol=0.06)
    assert traces.std() == pytest.approx(20.0, rel=0.1)
    assert np.linalg.norm(noise_taps(make_config(noise_spectrum="measured"))) == pytest.approx(1.0, abs=1e-6)


def test_reading_in_parts_gives_the_same_bits():
    config = make_config(n_channels=8, n_units=2, duration_s=1.2, noise_spectrum="measured", noise_length_um=30.0)
    whole = SimulationSource(config).read(0, config.n_samples).copy()
    source_module._blocks.clear()
    parts = [SimulationSource(config).read(a, b) for a, b in ((20_000, 36_000), (0, 14_990), (14_990, 20_000))]
    np.testing.assert_array_equal(np.concatenate([parts[1], parts[2], parts[0]]), whole)


def test_no_step_where_blocks_meet():
    traces = noise_of(n_channels=4, noise_spectrum="measured")
    step = np.abs(np.diff(traces, axis=0)).max(axis=1)
    edges = np.arange(15_000, len(traces), 15_000) - 1
    assert step[edges].max() <= np.quantile(step, 0.999)


def test_noisy_channels_and_other_shanks_share_nothing():
    layout = make_layout("multi-shank", 8)
    independent = np.zeros(8, bool)
    independent[0] = True
    mixing = noise_mixing(make_config(noise_length_um=100.0), layout, independent=independent)
    covariance = mixing.T @ mixing
    np.testing.assert_allclose(np.diag(covariance), 1.0)
    assert np.all(covariance[0, 1:] == 0)
    assert np.all(covariance[layout.shank[:, None] != layout.shank[None, :]] == 0)
    assert covariance[2, 3] > 0.5


def test_contacts_in_the_same_place_are_supported():
    layout = make_layout("linear", 4)._replace(xy=np.zeros((4, 2)))
    mixing = noise_mixing(make_config(noise_length_um=25.0), layout, independent=np.zeros(4, bool))
    np.testing.assert_allclose(mixing.T @ mixing, np.full((4, 4), 1.0), atol=2e-4)


@pytest.mark.parametrize("colored", [False, True])
def test_noise_that_is_neither_measured_nor_shared_is_drawn_as_before(colored):
    """Recordings of earlier versions keep every bit."""
    config = make_config(n_channels=3, n_units=0, colored_noise=colored, seed=4)
    size, n = draw_scene(config).background.noise_uv, block_length(config)
    white = stream(config, 22, 7).standard_normal((n + 2, 3), np.float32)
    expected = size * white[2:]
    if colored:
        white[:2] = stream(config, 23, 7).standard_normal((2, 3), np.float32)
        white[n:] = stream(config, 23, 8).standard_normal((2, 3), np.float32)
        taps = np.float32([0.797, 0.536, 0.279])
        expected = taps[0] * size * white[2:] + taps[1] * size * white[1:-1] + taps[2] * size * white[:-2]
    traces = np.zeros((n, 3), np.float32)
    add_thermal(traces, 7, config, draw_scene(config).background)
    np.testing.assert_array_equal(traces, expected)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"noise_length_um": -1.0}, "noise_length_um=-1.0 is below its limit 0"),
        ({"noise_spectrum": "pink"}, "noise_spectrum='pink' does not exist; choose one of thermal, measured"),
        ({"noise_correlation": "flat"}, "noise_correlation='flat' does not exist; choose one of exponential"),
        ({"probe": "neuropixels"}, "probe='neuropixels' does not exist; choose one of neuropixels-like"),
    ],
)
def test_bad_input_is_named(given, said):
    with pytest.raises(ParameterError, match=said):
        make_config(**given)
