"""Noise levels: correct on noise, robust to spikes, drawn by position."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from xephys import ParameterError, RecordingError
from xephys.recording.excerpts import sample_traces
from xephys.schema import make_recording

SIGMA = np.array([3.0, 10.0, 40.0])


def noise(n=300_000):
    return (np.random.default_rng(0).normal(size=(n, 3)) * SIGMA + 50).astype("f4")


def recording(traces):
    return make_recording(traces, sampling_frequency=30_000.0)


@pytest.mark.parametrize("method", ["mad", "std"])
def test_levels_of_white_noise_are_correct(method):
    levels = xephys.estimate_noise_levels(recording(noise()), method=method)
    np.testing.assert_allclose(levels.values, SIGMA, rtol=0.02)
    assert levels.dims == ("channel",)
    assert levels.dtype == "float32"


def test_rms_includes_the_mean():
    levels = xephys.estimate_noise_levels(recording(noise()), method="rms")
    np.testing.assert_allclose(levels.values, np.hypot(SIGMA, 50), rtol=0.02)


def test_spikes_hardly_change_the_median_deviation():
    traces = noise()
    traces[::300] -= 500
    np.testing.assert_allclose(xephys.estimate_noise_levels(recording(traces)).values, SIGMA, rtol=0.03)
    assert (xephys.estimate_noise_levels(recording(traces), method="std").values > 20).all()


def test_given_excerpts_are_used():
    rec = recording(noise())
    excerpts = sample_traces(rec, seed=4)
    assert np.array_equal(
        xephys.estimate_noise_levels(rec, excerpts=excerpts).values, xephys.estimate_noise_levels(rec, seed=4).values
    )


def test_bad_input_is_refused():
    traces = noise()
    traces[:, 1] = np.nan
    with pytest.raises(RecordingError, match="NaN or infinite"):
        xephys.estimate_noise_levels(recording(traces))
    with pytest.raises(ParameterError, match=r"method is 'med'.*one of 'mad', 'std', 'rms'"):
        xephys.estimate_noise_levels(recording(noise(30_000)), method="med")
    with pytest.raises(ParameterError, match="n_slices is 0; it must be greater than 0"):
        sample_traces(recording(noise(30_000)), n_slices=0)
