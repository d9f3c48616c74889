"""Merged units of the preset ``kilosort4``: the template is the mean of spikes aligned alike."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.fft import idct

from xephys.schema import make_recording
from xephys.sorter.kilosort4.units import merged_units
from xephys.sorter.presets import read_parameters
from xephys.templates.average import dense_templates

RATE, N_SAMPLES, N_BEFORE, N_COMPONENTS = 30_000, 61, 20, 30
LATE = 6
#: Components slow enough for a spike and for a delayed spike.
COMPONENTS = idct(np.eye(N_SAMPLES), norm="ortho", axis=1)[:N_COMPONENTS]


@pytest.fixture(scope="module")
def recording():
    places = {"x": np.zeros(4), "y": 20.0 * np.arange(4)}
    return make_recording(np.zeros((60 * RATE, 4), "f4"), sampling_frequency=float(RATE), coordinates=places)


def waveform(delay):
    """(channel, sample): one spike on four channels."""
    time = np.arange(N_SAMPLES) - N_BEFORE - delay
    course = -np.exp(-0.5 * (time / 4.0) ** 2) + 0.3 * np.exp(-0.5 * ((time - 14) / 7.0) ** 2)
    return np.array([8.0, 30.0, 20.0, 5.0])[:, None] * course


@pytest.mark.parametrize("n_late", [0, 250])
def test_a_differently_aligned_part_does_not_blur_the_template(recording, n_late):
    """In the second cluster, each spike of the same neuron was detected too early and is later in its window."""
    rng = np.random.default_rng(0)
    times = np.sort(rng.choice(60 * RATE // 150 - 2, 900, replace=False) + 1) * 150
    labels = np.zeros(900, np.int32)
    labels[rng.choice(900, n_late, replace=False)] = 1
    fields = [("sample_index", "i8"), ("channel_index", "i8"), ("unit_index", "i8"), ("gain", "f8")]
    spikes = np.zeros(900, [*fields, ("projection", "f4", (4, N_COMPONENTS))])
    spikes["sample_index"], spikes["channel_index"] = times - LATE * labels, 1
    for delay in (0, 1):
        spikes["projection"][labels == delay] = waveform(LATE * delay) @ COMPONENTS.T
    shapes = xr.Dataset(
        {"component": (("component", "sample"), COMPONENTS), "shape": (("shape", "sample"), COMPONENTS[:1])},
        attrs={"nbefore": N_BEFORE},
    )
    units = merged_units(recording, spikes, labels, read_parameters("kilosort4", {}), shapes=shapes)
    assert units.templates.sizes["unit"] == 1
    np.testing.assert_array_equal(units.spikes["sample_index"], times)
    np.testing.assert_allclose(dense_templates(units.templates).values[0].T, waveform(0), atol=0.1)
