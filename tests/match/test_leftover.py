"""A unit without a template is found in the residual of matching, lazily and in the same pass."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from tests.support.spiking import case, separate, share_found
from xephys.errors import ParameterError
from xephys.match.leftover import match_and_look
from xephys.testing import forbid_compute


@pytest.fixture(scope="module")
def components():
    peaks = xephys.detect_peaks(case().white, noise_levels=case().white_levels)
    return xephys.learn_components(case().white, peaks, n_components=4, ms_before=0.9, ms_after=1.3)


def found(templates, components, noise_gain, **peaks):
    rules = {"noise_levels": case().white_levels, "detect_threshold": 4.5, "peak_sign": "both"}
    with forbid_compute():
        table = match_and_look(
            case().white,
            templates=templates,
            components=components,
            n_nearest=8,
            noise_gain=noise_gain,
            peaks={**rules, "exclude_sweep_ms": 0.5, "radius_um": 50.0, **peaks},
        )
    return table.compute()


@pytest.fixture(scope="module")
def white_templates():
    return xephys.estimate_templates(
        case().white, case().spikes, peak_channels=case().truth.peak_channels, ms_before=0.9, ms_after=1.3, n_nearest=16
    )


def test_the_spikes_of_a_unit_without_a_template_remain(white_templates, components, noise_gain):
    sizes = np.abs(white_templates["waveform"]).max(("sample", "slot"))
    unknown = int(sizes.values.argmax())
    spikes = found(white_templates.drop_isel(unit=unknown), components, noise_gain)
    true = case().spikes["sample_index"][case().spikes["unit_index"] == unknown]
    left = spikes[spikes["unit_index"] == -1]
    alone = np.intersect1d(true, case().spikes["sample_index"][separate(case().spikes["sample_index"])])
    assert share_found(left["sample_index"], alone, window=12) > 0.5
    assert np.isin(left["channel_index"], white_templates["channel_index"].values[unknown]).mean() > 0.5


def test_with_all_templates_little_remains(white_templates, components, noise_gain):
    spikes = found(white_templates, components, noise_gain)
    alone = xephys.match_templates(
        case().white, templates=white_templates, components=components, n_nearest=8, noise_gain=noise_gain
    ).compute()
    assert spikes[spikes["unit_index"] >= 0].tobytes() == alone.tobytes()
    fewer = found(white_templates.isel(unit=slice(1, None)), components, noise_gain)
    assert (spikes["unit_index"] == -1).sum() < 0.7 * (fewer["unit_index"] == -1).sum()


def test_a_threshold_has_to_be_positive(white_templates, components, noise_gain):
    with pytest.raises(ParameterError, match="detect_threshold"):
        found(white_templates, components, noise_gain, detect_threshold=0.0)
