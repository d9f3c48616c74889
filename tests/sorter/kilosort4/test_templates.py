"""Templates of the preset ``kilosort4``: the mean of each cluster, strongest channel first, each shape once."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.fft import idct

from xephys.schema import make_recording
from xephys.sorter.kilosort4.templates import feature_channels, learned_templates, mean_templates, template_set
from xephys.templates.average import dense_templates

RATE, N_SAMPLES, N_BEFORE, N_COMPONENTS, N_CHANNELS = 30_000, 61, 20, 30, 6
#: Components slow enough for a spike.
COMPONENTS = idct(np.eye(N_SAMPLES), norm="ortho", axis=1)[:N_COMPONENTS]
#: Size on each channel of the spikes of three clusters; the second differs from the first by a tenth of its size.
SIZES = np.array([[8.0, 30, 20, 5, 0, 0], [8.8, 33, 22, 5.5, 0, 0], [0, 0, 4, 12, 25, 9]])


@pytest.fixture(scope="module")
def recording():
    places = {"x": np.zeros(N_CHANNELS), "y": 20.0 * np.arange(N_CHANNELS)}
    return make_recording(np.zeros((RATE, N_CHANNELS), "f4"), sampling_frequency=float(RATE), coordinates=places)


@pytest.fixture(scope="module")
def shapes():
    return xr.Dataset(
        {"component": (("component", "sample"), COMPONENTS), "shape": (("shape", "sample"), course()[None])},
        attrs={"nbefore": N_BEFORE},
    )


def course():
    time = np.arange(N_SAMPLES) - N_BEFORE
    return -np.exp(-0.5 * (time / 4.0) ** 2) + 0.3 * np.exp(-0.5 * ((time - 14) / 7.0) ** 2)


def spikes_of(recording, *, n_each=50, n_slots=4, noise=0.5):
    """Spikes of all clusters with noise in their features, and their labels."""
    labels = np.repeat(np.arange(len(SIZES), dtype=np.int32), n_each)
    peak = SIZES.argmax(axis=1)[labels]
    channels = feature_channels(recording, n_slots)[peak]
    spikes = np.zeros(len(labels), [("channel_index", "i8"), ("projection", "f4", (n_slots, N_COMPONENTS))])
    spikes["channel_index"] = peak
    sizes = np.take_along_axis(SIZES[labels], channels, axis=1)
    rng = np.random.default_rng(0)
    spikes["projection"] = sizes[..., None] * (COMPONENTS @ course()) + rng.normal(
        0.0, noise, (*sizes.shape, N_COMPONENTS)
    )
    return spikes, labels


def test_a_mean_is_the_waveform_on_the_channels_where_it_was_measured(recording, shapes):
    spikes, labels = spikes_of(recording)
    waveforms, channels, counts = mean_templates(recording, spikes, labels, shapes)
    dense = dense_templates(template_set(recording, waveforms, channels, counts, nbefore=N_BEFORE)).values
    assert counts.tolist() == [50, 50, 50]
    measured = feature_channels(recording, 4)[SIZES.argmax(axis=1)]
    for found, size, slots in zip(dense, SIZES, measured, strict=True):
        np.testing.assert_allclose(found[:, slots], course()[:, None] * size[slots], atol=0.4)


def test_slots_begin_with_the_strongest_channel(recording, shapes):
    waveforms, channels, counts = mean_templates(recording, *spikes_of(recording), shapes)
    templates = template_set(recording, waveforms, channels, counts, nbefore=N_BEFORE)
    energy = (templates["waveform"].values.astype(float) ** 2).sum(axis=1)
    assert templates["channel_index"].values[:, 0].tolist() == [1, 1, 4]
    assert (np.diff(energy, axis=1) <= 1e-6).all()


def test_of_templates_that_are_alike_in_shape_and_size_one_is_left(recording, shapes):
    spikes, labels = spikes_of(recording)
    templates = learned_templates(recording, spikes, labels, shapes=shapes)
    assert templates.sizes["unit"] == 2
    assert sorted(templates["num_averaged"].values.tolist()) == [50, 100]


def test_spikes_without_a_cluster_change_nothing(recording, shapes):
    spikes, labels = spikes_of(recording)
    stray = np.concatenate([spikes, spikes[:5]])
    stray["projection"][len(spikes) :] *= 7.0
    with_stray = learned_templates(recording, stray, np.append(labels, np.full(5, -1, np.int32)), shapes=shapes)
    xr.testing.assert_identical(with_stray, learned_templates(recording, spikes, labels, shapes=shapes))
