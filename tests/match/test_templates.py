"""Matching: true templates find their spikes, overlapping ones too, and leave noise."""

from __future__ import annotations

import numpy as np
import pytest
from spikeinterface import NumpySorting

import xephys
from xephys import ParameterError, RecordingError
from xephys.match.noise_gain import estimate_noise_gain
from xephys.match.residual import match_residual
from xephys.testing import forbid_compute

from ..support.spiking import RATE, case


@pytest.fixture(scope="module")
def templates():
    return xephys.estimate_templates(
        case().white, case().spikes, peak_channels=case().truth.peak_channels, ms_before=0.9, n_nearest=16
    )


@pytest.fixture(scope="module")
def noise_gain(templates):
    return estimate_noise_gain(case().white, templates=templates)


@pytest.fixture(scope="module")
def matched(templates, noise_gain):
    return xephys.match_templates(case().white, templates=templates, noise_gain=noise_gain).compute()


def test_true_templates_find_their_spikes(matched):
    found = NumpySorting.from_samples_and_labels([matched["sample_index"]], [matched["unit_index"]], RATE)
    comparison = xephys.compare(found, case().truth)
    assert comparison.units["accuracy"].values.min() > 0.98
    assert abs(np.median(matched["amplitude"]) - 1) < 0.05


def test_spikes_that_overlap_are_told_apart(matched):
    spikes = case().spikes
    gaps = np.diff(spikes["sample_index"])
    pairs = np.flatnonzero((gaps < 20) & (np.diff(spikes["unit_index"]) != 0))
    assert len(pairs) > 5
    for pair in pairs:
        for spike in spikes[pair : pair + 2]:
            same = matched["unit_index"] == spike["unit_index"]
            assert np.abs(matched["sample_index"][same] - spike["sample_index"]).min() <= 12


def test_the_residual_is_noise(templates, noise_gain, matched):
    with forbid_compute():
        residual = match_residual(case().white, templates=templates, noise_gain=noise_gain)
    left, white = residual.values, case().white.values
    assert residual.dims == case().white.dims
    at = matched["sample_index"][(matched["sample_index"] > 50) & (matched["sample_index"] < len(white) - 50)]
    window = (at[:, None] + np.arange(-10, 20)).ravel()
    assert (left[window] ** 2).mean() < 1.15 * (left**2).mean()
    assert (white[window] ** 2).mean() > 1.5 * (left[window] ** 2).mean()


def test_a_higher_threshold_finds_fewer(templates, noise_gain, matched):
    fewer = xephys.match_templates(
        case().white, templates=templates, noise_gain=noise_gain, detect_threshold=40.0
    ).compute()
    assert len(fewer) < len(matched)


def test_noise_gain_of_filtered_noise(noise_gain):
    assert 1.0 <= noise_gain < 4.0


def test_two_spikes_of_a_unit_are_apart(matched):
    for unit in range(5):
        own = np.sort(matched["sample_index"][matched["unit_index"] == unit])
        assert np.diff(own).min() >= 15


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"detect_threshold": 0}, "detect_threshold is 0; it must be greater than 0"),
        ({"rank": 0}, "rank is 0; it must be greater than 0"),
        ({"n_channels_max": 0}, "n_channels_max is 0; it must be greater than 0"),
        ({"amplitude_min": 1.2}, r"amplitude_min \(1.2\) must be in \(0, 1\]"),
        ({"amplitude_max": 0.8}, r"amplitude_max \(0.8\) at least 1"),
        ({"amplitude_std": 0}, "amplitude_std is 0; it must be greater than 0"),
    ],
)
def test_wrong_parameters(templates, parameters, message):
    with pytest.raises(ParameterError, match=message):
        xephys.match_templates(case().white, templates=templates, **parameters)


def test_unknown_names_and_other_probes(templates):
    with pytest.raises(TypeError, match="threshold"):
        match_residual(case().white, templates=templates, threshold=3)
    with pytest.raises(RecordingError, match="for 24 channels, the recording has 4: they come from another probe"):
        xephys.match_templates(case().white.isel(channel=slice(0, 4)), templates=templates)
    slower = case().white.assign_attrs(sampling_frequency=25_000.0)
    with pytest.raises(
        RecordingError, match="sampled at 30000 Hz and the recording at 25000 Hz; resample it, or estim"
    ):
        xephys.match_templates(slower, templates=templates)


def test_projections_need_the_window_of_the_templates(templates):
    shapes = xephys.standard_shapes(sampling_frequency=RATE)
    components = shapes["component"].assign_attrs(nbefore=20)
    with pytest.raises(ParameterError, match="the components have 61 samples, 20 of them before the spike"):
        xephys.match_templates(case().white, templates=templates, components=components)
    with pytest.raises(ParameterError, match="n_nearest is 0; it must be greater than 0"):
        xephys.match_templates(case().white, templates=templates, n_nearest=0)


def test_a_free_amplitude_has_no_prior(templates, noise_gain):
    """Without the prior the amplitude is the one that fits, farther from 1 than with it."""
    parameters = {"templates": templates, "noise_gain": noise_gain}
    free = xephys.match_templates(case().white, **parameters, amplitude_std=float("inf")).compute()
    held = xephys.match_templates(case().white, **parameters, amplitude_std=0.02).compute()
    assert np.std(free["amplitude"]) > 1.5 * np.std(held["amplitude"])
    with pytest.raises(ParameterError, match="amplitude_std is nan; it must be greater than 0"):
        xephys.match_templates(case().white, templates=templates, amplitude_std=float("nan"))


def test_every_second_sample_finds_the_same_spikes(templates, noise_gain, matched):
    """The case is band-passed up to 6 kHz, a fifth of the rate."""
    parameters = {"templates": templates, "noise_gain": noise_gain}
    sparser = xephys.match_templates(case().white, freq_max_hz=6000.0, **parameters).compute()
    assert len(sparser) == len(matched)
    np.testing.assert_array_equal(sparser["unit_index"], matched["unit_index"])
    assert np.abs(sparser["sample_index"] - matched["sample_index"]).max() <= 1
    np.testing.assert_allclose(sparser["amplitude"], matched["amplitude"], atol=0.02)
    wider = xephys.match_templates(case().white, freq_max_hz=6001.0, **parameters).compute()
    assert wider.tobytes() == matched.tobytes()
