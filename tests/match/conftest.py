"""Fixtures of the tests of matching: true templates and their spikes."""

from __future__ import annotations

import pytest

import xephys
from tests.support.spiking import case
from xephys.match.noise_gain import estimate_noise_gain


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
