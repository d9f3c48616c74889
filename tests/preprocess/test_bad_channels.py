"""Bad channels: simulated dead and noisy ones are found, and interpolation restores a smooth field."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from xephys import ParameterError, RecordingError
from xephys.preprocess.bad_channels import find_constant_channels
from xephys.schema import make_recording
from xephys.testing import simulate_recording


@pytest.fixture(scope="module")
def simulated():
    return simulate_recording(
        preset="hard", duration_s=8, n_channels=64, n_units=10, seed=2, n_dead_channels=2, n_noisy_channels=2
    )


def test_dead_and_noisy_channels_are_found(simulated):
    recording, truth = simulated
    labels = xephys.detect_bad_channels(recording, n_slices=20)
    assert set(np.flatnonzero(labels == "dead")) == set(truth.dead_channels)
    assert set(np.flatnonzero(labels == "noise")) == set(truth.noisy_channels)
    assert int((labels == "good").sum()) == 60


@pytest.mark.parametrize("method", ["std", "mad"])
def test_bad_channels_are_found_by_the_spread_alone(simulated, method):
    recording, truth = simulated
    labels = xephys.detect_bad_channels(recording, method=method, std_factor=3.0)
    assert set(np.flatnonzero(labels != "good")) == set(truth.dead_channels) | set(truth.noisy_channels)


def test_constant_channels_are_dead(simulated):
    recording, truth = simulated
    assert set(np.flatnonzero(find_constant_channels(recording))) == set(truth.dead_channels)


def test_interpolation_restores_a_smooth_field():
    y = 20.0 * np.arange(16)
    time = np.arange(3000)[:, None]
    field = 100 * np.sin(2 * np.pi * (y / 640 + time / 500))
    traces = field.astype("f4")
    bad = np.isin(np.arange(16), [5, 11])
    traces[:, bad] = 1e6
    recording = make_recording(traces, sampling_frequency=30_000.0, coordinates={"x": np.zeros(16), "y": y, "bad": bad})
    fixed = xephys.interpolate_bad_channels(recording)
    assert not fixed.bad.any()
    assert np.array_equal(fixed.values[:, ~bad], traces[:, ~bad])
    assert np.abs(fixed.values[:, bad] - field[:, bad]).max() < 5.0


def test_bad_input_is_refused(simulated):
    recording, _ = simulated
    with pytest.raises(ParameterError, match=r"method is 'coherence'.*did you mean 'coherence\+psd'"):
        xephys.detect_bad_channels(recording, method="coherence")
    with pytest.raises(RecordingError, match="no gain"):
        xephys.detect_bad_channels(recording.drop_vars("gain_to_uv"))
    with pytest.raises(RecordingError, match="needs the positions"):
        xephys.detect_bad_channels(recording.drop_vars(["x", "y"]))
    with pytest.raises(ParameterError, match=r"marks all 64 channels; leave at least one good"):
        xephys.interpolate_bad_channels(recording, bad=np.ones(64, bool))
    with pytest.raises(ParameterError, match=r"bad has shape \(3,\)"):
        xephys.interpolate_bad_channels(recording, bad=[True, False, False])
    with pytest.raises(RecordingError, match="interpolation needs the positions"):
        xephys.interpolate_bad_channels(recording.drop_vars(["x", "y"]), bad=np.arange(64) == 3)
    with pytest.raises(ParameterError, match="sigma_um is 0; it must be greater than 0"):
        xephys.interpolate_bad_channels(recording, bad=np.arange(64) == 3, sigma_um=0)


def test_a_short_recording_gives_as_many_slices_as_requested(monkeypatch):
    from xephys.preprocess import bad_channels

    recording, _ = simulate_recording(duration_s=1.5, n_channels=32, n_units=2, seed=0)
    counted = []
    original = bad_channels.draw_overlapping_excerpts
    monkeypatch.setattr(
        bad_channels, "draw_overlapping_excerpts", lambda *a, **k: counted.append(original(*a, **k)) or counted[-1]
    )
    xephys.detect_bad_channels(recording, n_slices=37)
    assert [len(slices) for slices in counted] == [37]


def test_a_bad_channel_without_a_good_neighbor_is_refused_by_name():
    recording, _ = simulate_recording(duration_s=1, n_channels=8, n_units=1, seed=0)
    alone = recording.assign_coords(y=("channel", 1000.0 * np.arange(8)))
    with pytest.raises(RecordingError, match="bad channel 2 has no good channel near it"):
        xephys.interpolate_bad_channels(alone, bad=np.arange(8) == 2, sigma_um=20.0)
