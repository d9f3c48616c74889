"""Clustering of few peaks and of identical peaks."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import xephys
from tests.support.quiet import RATE, recording_of
from xephys.schema import PEAK_DTYPE, make_recording


def peaks_at(channels, projection):
    """Records of a peak on each of the channels, a tenth of a second apart."""
    dtype = [*PEAK_DTYPE.descr, ("projection", "<f4", np.shape(projection)[1:])]
    peaks = np.zeros(len(channels), dtype)
    peaks["sample_index"], peaks["channel_index"] = RATE // 10 * np.arange(1, len(channels) + 1), channels
    peaks["projection"] = projection
    return peaks


@pytest.fixture(scope="module")
def components():
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(60, 3)))[0].T
    return xr.DataArray(basis, dims=("component", "sample"), attrs={"nbefore": 20})


@pytest.mark.parametrize("n_peaks", [0, 1, 2, 3, 5])
def test_sections_with_fewer_peaks_than_clusters(components, n_peaks):
    """A probe of eight sections, most of them empty: no section has enough peaks for a cluster, and none fails."""
    recording = make_recording(
        np.zeros((2 * RATE, 32), "f4"),
        sampling_frequency=float(RATE),
        coordinates={"x": np.zeros(32), "y": 40.0 * np.arange(32)},
    )
    rng = np.random.default_rng(1)
    peaks = peaks_at([31] * n_peaks, rng.normal(size=(n_peaks, 8, 3)))
    found = xephys.cluster_peaks(recording, peaks, components=components, feature_noise=1.0)
    assert found.n_clusters == 0
    assert found.labels.tolist() == [-1] * n_peaks


@pytest.mark.parametrize("n_peaks", [30, 500])
def test_identical_peaks_are_one_cluster(components, n_peaks):
    recording = recording_of(np.zeros((60 * RATE, 4), "f4"))
    projection = np.zeros((n_peaks, 4, 3), np.float32)
    wave = np.zeros(60)
    wave[18:23] = [-3, -9, -12, -9, -3]
    components = xr.DataArray(np.eye(60)[18:23][[1, 2, 3]], dims=("component", "sample"), attrs={"nbefore": 20})
    projection[:, 2] = components.values @ wave
    found = xephys.cluster_peaks(
        recording, peaks_at([2] * n_peaks, projection), components=components, feature_noise=1.0
    )
    assert found.labels.tolist() == [0] * n_peaks
    assert not found.sample_shift.any() or len(set(found.sample_shift.tolist())) == 1


def test_peaks_that_are_not_computed_or_not_projected_say_what_to_call(components):
    recording, _ = xephys.testing.simulate_recording(duration_s=1, n_channels=4, n_units=1, seed=0)
    filtered = xephys.bandpass_filter(recording)
    peaks = xephys.detect_peaks(filtered, noise_levels=xephys.estimate_noise_levels(filtered))
    with pytest.raises(xephys.ParameterError, match=r"compute them first: peaks\.compute\(\)"):
        xephys.cluster_peaks(filtered, peaks, components=components)
    with pytest.raises(xephys.ParameterError, match=r"the peaks have no projection; project them first"):
        xephys.cluster_peaks(filtered, peaks.compute(), components=components)
