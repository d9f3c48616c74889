"""Detection by subtraction on a recording: what is found, what is left, and that nothing is found in noise."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

import xephys
from tests.support.spiking import case, share_found
from xephys import ParameterError, RecordingError
from xephys.graph.build import count_tasks
from xephys.testing import forbid_compute


@cache
def fitted() -> dict[str, Any]:
    levels = xephys.estimate_noise_levels(case().white)
    peaks = xephys.detect_peaks(case().white, noise_levels=levels, peak_sign="both")
    return {"noise_levels": levels, "denoiser": xephys.learn_denoiser(case().white, peaks, n_tiles=4)}


@cache
def events() -> np.ndarray:
    return xephys.detect_by_subtraction(case().white, **fitted()).compute()


def test_every_spike_is_found_also_below_others():
    true = case().truth.spikes["sample_index"]
    assert share_found(events()["sample_index"], true, window=15) > 0.97
    assert len(events()) < 1.2 * len(true)


def test_events_are_where_their_units_are():
    truth = case().truth
    nearest = np.abs(truth.spikes["sample_index"][:, None] - events()["sample_index"]).argmin(axis=1)
    distance = np.abs(truth.unit_positions[truth.spikes["unit_index"], 1] - events()["y"][nearest])
    assert np.median(distance) < 15


def test_what_is_left_near_spikes_has_the_energy_of_noise():
    residual = xephys.subtraction_residual(case().white, **fitted()).values
    white, truth = case().white.values, case().truth
    channels = np.asarray(truth.peak_channels)[truth.spikes["unit_index"]]
    rows = np.clip(truth.spikes["sample_index"][:, None] + np.arange(-15, 30), 0, len(white) - 1)
    near = np.zeros(white.shape, bool)
    near[rows, channels[:, None]] = True
    quiet = np.ones(len(white), bool)
    quiet[np.clip(rows[:, :1] + np.arange(-30, 80), 0, len(white) - 1)] = False
    noise = np.square(white[quiet]).mean()
    assert np.square(white[near]).mean() > 2 * noise
    assert np.square(residual[near]).mean() < 1.15 * noise


def test_building_computes_nothing_and_makes_one_task_per_chunk():
    known = fitted()
    with forbid_compute():
        lazy = xephys.detect_by_subtraction(case().white, **known)
        residual = xephys.subtraction_residual(case().white, **known)
    n_chunks = case().white.data.numblocks[0]
    assert count_tasks(lazy.data) == count_tasks(residual.data) == n_chunks


def test_kept_coefficients_and_projections_have_the_shape_of_their_channels():
    components = xephys.standard_shapes(sampling_frequency=30_000.0)["component"].assign_attrs(nbefore=20)
    table = xephys.detect_by_subtraction(
        case().white, **fitted(), components=components, n_nearest=5, keep_denoised=True
    )
    assert table.dtype["projection"].shape == (5, components.sizes["component"])
    assert table.dtype["denoised"].shape[1] == fitted()["denoiser"].sizes["component"]
    found = table.between(0, 0.5).compute()
    assert np.isfinite(found["projection"]).all() and np.abs(found["projection"]).max() > 3


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"peak_sign": "negative"}, "peak_sign is 'negative'.*did you mean 'neg'"),
        ({"energy_threshold": 0}, "energy_threshold is 0; it must be greater than 0"),
        ({"detect_treshold": 4}, "has no parameter 'detect_treshold'.*did you mean 'detect_threshold'"),
        ({"localization_radius_um": -1}, "localization_radius_um is -1"),
    ],
)
def test_wrong_parameters(parameters, message):
    with pytest.raises(ParameterError, match=message):
        xephys.detect_by_subtraction(case().white, **fitted(), **parameters)


def test_fitted_things_must_fit():
    other = fitted()["denoiser"].assign_attrs(sampling_frequency=20_000.0)
    with pytest.raises(ParameterError, match="learned at 20000 Hz and the recording has 30000 Hz"):
        xephys.detect_by_subtraction(case().white, **{**fitted(), "denoiser": other})
    with pytest.raises(RecordingError, match="no channel can give events"):
        xephys.detect_by_subtraction(case().white, **{**fitted(), "noise_levels": 0 * fitted()["noise_levels"]})
    long = xephys.standard_shapes(sampling_frequency=30_000.0)["component"].assign_attrs(nbefore=60)
    with pytest.raises(ParameterError, match="learn the denoiser with a longer window"):
        xephys.detect_by_subtraction(case().white, **fitted(), components=long)
