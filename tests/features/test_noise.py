"""The noise of features is estimated correctly, however many channels see the spikes."""

import numpy as np
import pytest
import xarray as xr

import xephys
from xephys.errors import RecordingError
from xephys.kernels.cluster.reconcile import feature_noise
from xephys.schema import make_recording

RATE = 10_000.0
LENGTH = 20


@pytest.fixture
def components():
    basis = np.linalg.qr(np.random.default_rng(1).standard_normal((LENGTH, 3)))[0].T
    return xr.DataArray(basis, dims=("component", "sample"), attrs={"nbefore": 8})


def tetrode(n_spikes, *, scale=1.0, bad=()):
    """White noise on four channels, and the same large waveform on all of them."""
    rng = np.random.default_rng(0)
    traces = (scale * rng.standard_normal((100_000, 4))).astype(np.float32)
    for start in np.linspace(500, 99_000, n_spikes).astype(int):
        traces[start : start + LENGTH] -= 20 * scale * np.hanning(LENGTH)[:, None]
    coordinates = {"bad": np.isin(np.arange(4), bad)}
    return make_recording(traces, sampling_frequency=RATE, coordinates=coordinates)


@pytest.mark.parametrize("scale", [1.0, 7.0])
def test_white_noise_has_its_standard_deviation(components, scale):
    assert xephys.estimate_feature_noise(tetrode(0, scale=scale), components=components) == pytest.approx(
        scale, rel=0.02
    )


def test_spikes_on_every_channel_do_not_count_as_noise(components):
    recording = tetrode(100)
    assert xephys.estimate_feature_noise(recording, components=components) == pytest.approx(1.0, rel=0.05)
    starts = np.linspace(500, 99_000, 100).astype(int)
    windows = np.stack([recording.values[s : s + LENGTH] for s in starts])
    projection = np.einsum("kt,wtc->wck", components.values, windows).astype(np.float32)
    assert feature_noise(projection) > 3  # an estimate from the peaks alone would be wrong


def test_bad_channels_are_left_out(components):
    recording = tetrode(0, bad=[2])
    recording.values[:, 2] *= 1000
    assert xephys.estimate_feature_noise(recording, components=components) == pytest.approx(1.0, rel=0.03)


def test_a_recording_that_is_too_short_is_refused(components):
    with pytest.raises(RecordingError, match="shorter than a component of 20 samples"):
        xephys.estimate_feature_noise(tetrode(0), components=components, excerpts=[np.zeros((10, 4), np.float32)])


def test_the_covariance_of_white_noise_is_its_variance_on_the_diagonal(components):
    recording = tetrode(0, scale=3.0).assign_coords(x=("channel", [0.0, 20, 40, 300]), y=("channel", [0.0] * 4))
    found = xephys.estimate_feature_covariance(recording, components=components)
    assert found.dims == ("channel", "component", "other_channel", "other_component")
    np.testing.assert_allclose(found.values.reshape(12, 12), 9 * np.eye(12), atol=0.6)


def test_a_covariance_needs_positions_and_noise(components):
    with pytest.raises(RecordingError, match="positions"):
        xephys.estimate_feature_covariance(tetrode(0), components=components)
    placed = tetrode(0).assign_coords(x=("channel", np.arange(4.0)), y=("channel", np.zeros(4)))
    with pytest.raises(RecordingError, match="the noise of features is 0"):
        xephys.estimate_feature_covariance(placed, components=components, excerpts=[np.zeros((90, 4), np.float32)])
