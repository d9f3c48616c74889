"""The residual of matching is noise."""

from __future__ import annotations

import numpy as np

from tests.support.spiking import case
from xephys.match.residual import match_residual
from xephys.testing import forbid_compute


def test_the_residual_is_noise(templates, noise_gain, matched):
    with forbid_compute():
        residual = match_residual(case().white, templates=templates, noise_gain=noise_gain)
    left, white = residual.values, case().white.values
    assert residual.dims == case().white.dims
    at = matched["sample_index"][(matched["sample_index"] > 50) & (matched["sample_index"] < len(white) - 50)]
    window = (at[:, None] + np.arange(-10, 20)).ravel()
    assert (left[window] ** 2).mean() < 1.15 * (left**2).mean()
    assert (white[window] ** 2).mean() > 1.5 * (left[window] ** 2).mean()
