"""Bad channels: labels and interpolation agree with SpikeInterface and with their construction."""

from importlib import import_module

import numpy as np
import pytest

from xephys.kernels.preprocess.bad_channels import (
    DEAD,
    LABELS,
    NOISE,
    OUTSIDE,
    channel_features,
    interpolate_channels,
    interpolation_weights,
    label_channels,
    most_common_labels,
    outlying_channels,
)

RATE = 30_000


def probe_with_faults(seed=0, channels=64):
    """0.3 s of a common signal and local noise, with dead, noisy and outside channels."""
    rng = np.random.default_rng(seed)
    common = np.convolve(rng.normal(0, 10, 9000), np.ones(8) / 8, mode="same")[:, None]
    smooth = np.apply_along_axis(np.convolve, 0, rng.normal(0, 4, (9000, channels)), np.ones(8) / 8, mode="same")
    traces = common * 1.5 + smooth + rng.normal(0, 0.3, (9000, channels))
    traces[:, 10] = rng.normal(0, 0.3, 9000)
    traces[:, [20, 33]] += rng.normal(0, 60, (9000, 2))
    traces[:, 56:] = rng.normal(0, 0.5, (9000, 8))
    return traces.astype("float32")


def test_faults_are_labelled():
    labels = label_channels(channel_features(probe_with_faults(), sampling_frequency=RATE))
    want = np.zeros(64, int)
    want[10], want[[20, 33]], want[56:] = DEAD, NOISE, OUTSIDE
    np.testing.assert_array_equal(labels, want)


@pytest.mark.parametrize("outside", ["top", "bottom", "both"])
@pytest.mark.parametrize("seed", range(4))
def test_labels_equal_spikeinterface(outside, seed):
    module = import_module("spikeinterface.preprocessing.detect_bad_channels")
    traces = probe_with_faults(seed)
    if seed % 2:
        traces = np.ascontiguousarray(traces[:, ::-1])
    want = module.detect_bad_channels_ibl(traces, RATE, 0.02, outside_channels_location=outside)
    features = channel_features(traces, sampling_frequency=RATE)
    got = [LABELS[code] for code in label_channels(features, outside=outside)]
    names = np.asarray(want)
    if names.dtype.kind in "iuf":
        np.testing.assert_array_equal([LABELS.index(name) for name in got], names)
    else:
        np.testing.assert_array_equal([{"outside": "out"}.get(name, name) for name in got], names)


def test_silence_resembles_nothing():
    features = channel_features(np.zeros((600, 20)), sampling_frequency=RATE)
    assert not features.local_similarity.any() and not features.trend.any()


def test_votes_and_outliers():
    votes = np.array([[0, 1, 3, 2], [0, 1, 3, 1], [1, 0, 0, 1]], dtype="int8")
    np.testing.assert_array_equal(most_common_labels(votes), [0, 1, 3, 1])
    np.testing.assert_array_equal(outlying_channels(np.array([1.0, 1, 1, 5.1, 4.9])), [0, 0, 0, 1, 0])


def neuropixels_positions(channels):
    row = np.arange(channels) // 2
    return np.stack([np.tile([16.0, 48, 0, 32], channels)[:channels], row * 20.0], axis=1)


def test_interpolation_equals_spikeinterface():
    si = import_module("spikeinterface.core")
    preprocessing = import_module("spikeinterface.preprocessing")
    rng = np.random.default_rng(0)
    traces = rng.normal(0, 10, (300, 32)).astype("float32")
    recording = si.NumpyRecording([traces], sampling_frequency=RATE)
    positions = neuropixels_positions(32)
    recording.set_dummy_probe_from_locations(positions)
    bad = np.array([3, 4, 20])
    want = preprocessing.interpolate_bad_channels(recording, bad_channel_ids=recording.channel_ids[bad]).get_traces()
    neighbors, weights = interpolation_weights(positions, bad)
    got = interpolate_channels(traces, neighbors=neighbors, weights=weights, bad=bad)
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-4)


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_interpolation_by_hand_valid_mode_and_blocks(dtype):
    rng = np.random.default_rng(1)
    traces = rng.integers(-99, 99, (600, 12)).astype(dtype)
    kept = traces.copy()
    positions = neuropixels_positions(12)
    bad = np.array([5, 0])
    neighbors, weights = interpolation_weights(positions, bad, sigma_um=25)
    arguments = {"neighbors": neighbors, "weights": weights, "bad": bad}
    got = interpolate_channels(traces, before=10, after=5, **arguments)
    want = traces[10:-5].astype("float64")
    for row, channel in enumerate(bad):
        distance = np.linalg.norm(positions - positions[channel], axis=1)
        weight = np.exp(-((distance / 25) ** 1.3)) * ~np.isin(np.arange(12), bad)
        weight[weight < 0.005] = 0
        weight /= weight.sum()
        weight[weight < 0.005] = 0
        want[:, channel] = traces[10:-5] @ weight
        assert set(np.flatnonzero(weight)) == set(neighbors[row]) - {-1}
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-4)
    np.testing.assert_array_equal(traces, kept)
    whole = interpolate_channels(traces, **arguments)
    for rows in (1, 7, 512):
        parts = [interpolate_channels(traces[i : i + rows], **arguments) for i in range(0, 600, rows)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_no_bad_channel_changes_nothing():
    neighbors, weights = interpolation_weights(neuropixels_positions(6), np.array([], dtype=int))
    traces = np.arange(12, dtype="float32").reshape(2, 6)
    got = interpolate_channels(traces, neighbors=neighbors, weights=weights, bad=np.array([], dtype=int))
    np.testing.assert_array_equal(got, traces)


def test_bad_arguments_are_refused():
    positions = np.array([[0, 0], [0, 20], [0, 5000]])
    with pytest.raises(ValueError, match="channel 2 has no good channel"):
        interpolation_weights(positions, np.array([2]))
    with pytest.raises(ValueError, match="sigma_um"):
        interpolation_weights(np.zeros((3, 2)), np.array([2]))
    with pytest.raises(ValueError, match="itself bad"):
        interpolate_channels(np.zeros((2, 3)), neighbors=np.array([[1], [2]]), weights=np.ones((2, 1)), bad=[0, 1])
    with pytest.raises(ValueError, match="rows"):
        interpolate_channels(np.zeros((2, 3)), neighbors=np.array([[1]]), weights=np.ones((1, 2)), bad=[0])
    with pytest.raises(ValueError, match="below 3"):
        interpolate_channels(np.zeros((2, 3)), neighbors=np.array([[3]]), weights=np.ones((1, 1)), bad=[0])
    with pytest.raises(ValueError, match="longer excerpts"):
        channel_features(np.zeros((20, 3)), sampling_frequency=RATE)
    with pytest.raises(ValueError, match="odd"):
        channel_features(np.zeros((2000, 3)), sampling_frequency=RATE, n_neighbors=10)
    features = channel_features(np.zeros((2000, 3)), sampling_frequency=RATE)
    with pytest.raises(ValueError, match="outside"):
        label_channels(features, outside="left")
