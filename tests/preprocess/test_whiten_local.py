"""Whitening of each channel with its neighborhood."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from tests.support.correlated import TRACES, N, noise_recording
from xephys import ParameterError, RecordingError
from xephys.schema import make_recording


def test_neighborhoods_end_at_the_radius():
    near = xephys.estimate_whitening(noise_recording(), radius_um=45.0)["neighbor"].values
    assert near.shape == (N, 5)
    assert sorted(near[0]) == [-1, -1, 0, 1, 2]
    assert sorted(near[5]) == [3, 4, 5, 6, 7]
    assert near[:, 0].tolist() == list(range(N))


def test_bad_input_is_refused():
    rec = noise_recording()
    with pytest.raises(ParameterError, match="n_nearest is 0; it must be greater than 0"):
        xephys.estimate_whitening(rec, n_nearest=0)
    with pytest.raises(ParameterError, match=r"radius_um is -1\.0; it must be greater than 0"):
        xephys.estimate_whitening(rec, radius_um=-1.0)
    with pytest.raises(ParameterError, match=r"mode 'local' has no parameter 'n_neares'.*did you mean 'n_nearest'"):
        xephys.estimate_whitening(rec, n_neares=4)
    with pytest.raises(RecordingError, match="local whitening needs the positions"):
        xephys.estimate_whitening(make_recording(TRACES, sampling_frequency=30_000.0))


def test_all_channels_nearest_is_the_global_matrix():
    everything = xephys.estimate_whitening(noise_recording(), mode="local", n_nearest=N)
    dense = np.zeros((N, N))
    for channel in range(N):
        dense[everything["neighbor"].values[channel], channel] = everything["weight"].values[channel]
    matrix = xephys.estimate_whitening(noise_recording(), mode="global")["matrix"].values
    np.testing.assert_allclose(dense, matrix, rtol=1e-3, atol=1e-5)


def test_a_local_operator_is_nearly_white():
    rec = noise_recording()
    white = xephys.whiten(rec, whitening=xephys.estimate_whitening(rec, n_nearest=5))
    covariance = np.cov(white.values.T)
    np.testing.assert_allclose(np.diag(covariance), 1, atol=0.1)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 0.12
