"""Whitening: unit covariance, bad channels left out, errors."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from tests.support.correlated import TRACES, N, noise_recording
from xephys import ParameterError, RecordingError
from xephys.preprocess.whiten import whiten_excerpts


@pytest.mark.parametrize("parameters", [{"mode": "global"}, {"mode": "local", "n_nearest": N}])
def test_covariance_becomes_the_identity(parameters):
    rec = noise_recording()
    white = xephys.whiten(rec, whitening=xephys.estimate_whitening(rec, **parameters))
    np.testing.assert_allclose(np.cov(white.values.T), np.eye(N), atol=0.03)


@pytest.mark.parametrize("parameters", [{"mode": "global"}, {"mode": "local", "n_nearest": 6}])
def test_bad_channels_are_zero_and_do_not_contribute(parameters):
    bad = np.isin(np.arange(N), [0, 4])
    rec = noise_recording(bad=bad)
    white = xephys.whiten(rec, whitening=xephys.estimate_whitening(rec, **parameters)).values
    assert not white[:, bad].any()
    spoiled = TRACES.copy()
    spoiled[:, bad] = 1e4
    other = rec.copy(data=spoiled)
    assert np.array_equal(white, xephys.whiten(other, whitening=xephys.estimate_whitening(rec, **parameters)).values)


def test_constant_channels_are_zero():
    traces = TRACES.copy()
    traces[:, 3] = 7
    rec = noise_recording().copy(data=traces)
    white = xephys.whiten(rec, whitening=xephys.estimate_whitening(rec, n_nearest=5)).values
    assert not white[:, 3].any()
    assert np.isfinite(white).all()


def test_an_array_is_whitened_like_a_recording():
    rec = noise_recording()
    whitening = xephys.estimate_whitening(rec, n_nearest=5)
    (alone,) = whiten_excerpts([TRACES], whitening=whitening)
    assert np.array_equal(alone, xephys.whiten(rec, whitening=whitening).values)


def test_bad_input_is_refused():
    rec = noise_recording()
    whitening = xephys.estimate_whitening(rec)
    with pytest.raises(ParameterError, match="for 10 channels, the recording has 4; estimate it on this recording"):
        xephys.whiten(rec.isel(channel=slice(0, 4)), whitening=whitening)
    with pytest.raises(ParameterError, match=r"mode is 'locl'.*did you mean 'local'"):
        xephys.estimate_whitening(rec, mode="locl")
    with pytest.raises(RecordingError, match="every channel is marked bad"):
        xephys.estimate_whitening(noise_recording(bad=np.ones(N, bool)))
    with pytest.raises(RecordingError, match="all channels are constant"):
        xephys.estimate_whitening(rec.copy(data=np.zeros_like(TRACES)))
