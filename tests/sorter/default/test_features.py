"""What the preset learns about features: from noise of unit size, and not at all if there is no peak."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from xephys.schema import make_recording
from xephys.sorter.default.features import learn_features
from xephys.sorter.default.parameters import DefaultParameters
from xephys.sorter.steps.passes import NoUnits, Run
from xephys.sorter.steps.prepared import Prepared


def learned(*, detect_threshold):
    """Features of white noise, as if it had been prepared."""
    traces = np.random.default_rng(0).standard_normal((60_000, 8)).astype("f4")
    places = {"x": np.zeros(8), "y": 20.0 * np.arange(8)}
    white = make_recording(traces, sampling_frequency=30_000.0, coordinates=places)
    levels = xephys.estimate_noise_levels(white)
    prepared = Prepared(white, white, levels, levels, xephys.sample_traces(white, n_slices=2), None)
    peaks = xephys.detect_peaks(white, noise_levels=levels, detect_threshold=detect_threshold)
    return learn_features(prepared, peaks, DefaultParameters(), Run())


def test_noise_of_features_is_that_of_the_traces_until_peaks_are_put_to_rest():
    features = learned(detect_threshold=4.0)
    assert features.components.sizes["component"] == DefaultParameters().n_components
    assert features.noise == pytest.approx(1.0, rel=0.1)
    assert features.noise_at_rest == features.noise


def test_without_peaks_there_are_no_units():
    with pytest.raises(NoUnits):
        learned(detect_threshold=50.0)
