"""Whitening: unit covariance, bad channels out, the local operator against the global one."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from xephys import ParameterError, RecordingError
from xephys.preprocess.whiten import whiten_sample
from xephys.recording.excerpts import sample_traces
from xephys.schema import make_recording

N = 10
RNG = np.random.default_rng(1)
DISTANCE = np.abs(np.arange(N)[:, None] - np.arange(N))
MIXING = np.linalg.cholesky(np.exp(-DISTANCE / 2.0)) * np.linspace(5, 30, N)[:, None]
TRACES = (RNG.normal(size=(120_000, N)) @ MIXING.T).astype("f4")


def recording(**coordinates):
    places = {"x": np.zeros(N), "y": 20.0 * np.arange(N)}
    return make_recording(TRACES, sampling_frequency=30_000.0, coordinates={**places, **coordinates})


@pytest.mark.parametrize("parameters", [{"mode": "global"}, {"mode": "local", "n_nearest": N}])
def test_covariance_becomes_the_identity(parameters):
    rec = recording()
    white = xephys.whiten(rec, whitening=xephys.estimate_whitening(rec, **parameters))
    np.testing.assert_allclose(np.cov(white.values.T), np.eye(N), atol=0.03)


def test_global_is_the_symmetric_inverse_root():
    matrix = xephys.estimate_whitening(recording(), mode="global", regularization=1e-9)["matrix"].values
    sample = np.concatenate(sample_traces(recording()))
    values, vectors = np.linalg.eigh(np.cov(sample.astype("f8").T, bias=True))
    expected = vectors @ np.diag(values**-0.5) @ vectors.T
    np.testing.assert_allclose(matrix, expected, rtol=1e-4, atol=1e-6)


def test_all_channels_nearest_is_the_global_matrix():
    everything = xephys.estimate_whitening(recording(), mode="local", n_nearest=N)
    dense = np.zeros((N, N))
    for channel in range(N):
        dense[everything["neighbor"].values[channel], channel] = everything["weight"].values[channel]
    matrix = xephys.estimate_whitening(recording(), mode="global")["matrix"].values
    np.testing.assert_allclose(dense, matrix, rtol=1e-3, atol=1e-5)


def test_a_local_operator_is_nearly_white():
    rec = recording()
    white = xephys.whiten(rec, whitening=xephys.estimate_whitening(rec, n_nearest=5))
    covariance = np.cov(white.values.T)
    np.testing.assert_allclose(np.diag(covariance), 1, atol=0.1)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 0.12


@pytest.mark.parametrize("parameters", [{"mode": "global"}, {"mode": "local", "n_nearest": 6}])
def test_bad_channels_are_zero_and_do_not_contribute(parameters):
    bad = np.isin(np.arange(N), [0, 4])
    rec = recording(bad=bad)
    white = xephys.whiten(rec, whitening=xephys.estimate_whitening(rec, **parameters)).values
    assert not white[:, bad].any()
    spoiled = TRACES.copy()
    spoiled[:, bad] = 1e4
    other = rec.copy(data=spoiled)
    assert np.array_equal(white, xephys.whiten(other, whitening=xephys.estimate_whitening(rec, **parameters)).values)


def test_constant_channels_are_zero():
    traces = TRACES.copy()
    traces[:, 3] = 7
    rec = recording().copy(data=traces)
    white = xephys.whiten(rec, whitening=xephys.estimate_whitening(rec, n_nearest=5)).values
    assert not white[:, 3].any()
    assert np.isfinite(white).all()


def test_an_array_at_once():
    rec = recording()
    whitening = xephys.estimate_whitening(rec, n_nearest=5)
    (alone,) = whiten_sample([TRACES], whitening=whitening)
    assert np.array_equal(alone, xephys.whiten(rec, whitening=whitening).values)


def test_refusals():
    rec = recording()
    whitening = xephys.estimate_whitening(rec)
    with pytest.raises(ParameterError, match="for 10 channels, the recording has 4; estimate it on this recording"):
        xephys.whiten(rec.isel(channel=slice(0, 4)), whitening=whitening)
    with pytest.raises(ParameterError, match=r"mode is 'locl'.*did you mean 'local'"):
        xephys.estimate_whitening(rec, mode="locl")
    with pytest.raises(ParameterError, match="n_nearest is 0; it must be greater than 0"):
        xephys.estimate_whitening(rec, n_nearest=0)
    with pytest.raises(RecordingError, match="every channel is marked bad"):
        xephys.estimate_whitening(recording(bad=np.ones(N, bool)))
    with pytest.raises(RecordingError, match="all channels are constant"):
        xephys.estimate_whitening(rec.copy(data=np.zeros_like(TRACES)))
    with pytest.raises(RecordingError, match="local whitening needs the positions"):
        xephys.estimate_whitening(make_recording(TRACES, sampling_frequency=30_000.0))
