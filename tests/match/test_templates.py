"""Matching: true templates find their spikes, including overlapping ones, and leave noise."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from spikeinterface import NumpySorting

import xephys
from tests.support.spiking import RATE, case
from xephys import ParameterError, RecordingError
from xephys.match.residual import match_residual


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


def test_a_higher_threshold_finds_fewer(templates, noise_gain, matched):
    fewer = xephys.match_templates(
        case().white, templates=templates, noise_gain=noise_gain, match_threshold=40.0
    ).compute()
    assert len(fewer) < len(matched)


def test_two_spikes_of_a_unit_are_never_too_close(matched):
    for unit in range(5):
        own = np.sort(matched["sample_index"][matched["unit_index"] == unit])
        assert np.diff(own).min() >= 15


def test_unknown_names_and_other_probes_are_refused(templates):
    with pytest.raises(ParameterError, match="has no parameter 'threshold'"):
        match_residual(case().white, templates=templates, threshold=3)
    of_a_sorting = xr.Dataset({"templates": (("unit", "sample", "channel"), np.zeros((1, 3, 24)))})
    with pytest.raises(ParameterError, match=r"no waveform and no channel_index, so .*, learned=sorting"):
        xephys.match_templates(case().white, templates=of_a_sorting)
    bare = templates.drop_attrs(deep=False)
    with pytest.raises(ParameterError, match="no attribute n_channels, so it is not from estimate_templates"):
        xephys.match_templates(case().white, templates=bare)
    with pytest.raises(RecordingError, match="for 24 channels, the recording has 4: they come from another probe"):
        xephys.match_templates(case().white.isel(channel=slice(0, 4)), templates=templates)
    slower = case().white.drop_vars("time").assign_attrs(sampling_frequency=25_000.0)
    with pytest.raises(
        RecordingError, match="sampled at 30000 Hz and the recording at 25000 Hz; resample it, or estim"
    ):
        xephys.match_templates(slower, templates=templates)


def test_a_free_amplitude_has_no_prior(templates, noise_gain):
    """Without the prior the fitted amplitude is farther from 1 than with it."""
    parameters = {"templates": templates, "noise_gain": noise_gain}
    free = xephys.match_templates(case().white, **parameters, amplitude_std=float("inf")).compute()
    held = xephys.match_templates(case().white, **parameters, amplitude_std=0.02).compute()
    assert np.std(free["amplitude"]) > 1.5 * np.std(held["amplitude"])
    with pytest.raises(ParameterError, match="amplitude_std is nan; give a number"):
        xephys.match_templates(case().white, templates=templates, amplitude_std=float("nan"))


def test_every_second_sample_finds_the_same_spikes(templates, noise_gain, matched):
    """The recording is band-passed up to 6 kHz, a fifth of its sampling rate, so half of the samples suffice."""
    parameters = {"templates": templates, "noise_gain": noise_gain}
    sparser = xephys.match_templates(case().white, freq_max_hz=6000.0, **parameters).compute()
    assert len(sparser) == len(matched)
    np.testing.assert_array_equal(sparser["unit_index"], matched["unit_index"])
    assert np.abs(sparser["sample_index"] - matched["sample_index"]).max() <= 1
    np.testing.assert_allclose(sparser["amplitude"], matched["amplitude"], atol=0.02)
    wider = xephys.match_templates(case().white, freq_max_hz=6001.0, **parameters).compute()
    assert wider.tobytes() == matched.tobytes()
