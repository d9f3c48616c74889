"""Units: amplitudes and rates have the requested ranges."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.simulation.config import make_config
from xephys.simulation.truth import Truth


def test_amplitudes_cover_the_range():
    config = make_config("hard", n_channels=64, n_units=40, amplitude_range_uv=(20, 250), amplitude_skew=1.0)
    peak = np.abs(Truth(config).templates).max(axis=(1, 2))
    assert 19 < peak.min() < 25 and 220 < peak.max() < 251
    assert np.median(peak) == pytest.approx(np.sqrt(20 * 250), rel=0.1)


def test_some_units_fire_rarely_and_the_others_are_unchanged():
    usual = Truth(make_config(n_units=8, duration_s=60.0))
    mixed = Truth(make_config(n_units=8, duration_s=60.0, rare_fraction=0.25, rare_rate_hz=(0.1, 0.2)))
    before, after = usual.scene.population.rate_hz, mixed.scene.population.rate_hz
    rare = after < 0.3
    assert rare.sum() == 2 and (after[rare] >= 0.1).all() and (after[rare] <= 0.2).all()
    assert np.array_equal(before[~rare], after[~rare])
    assert np.array_equal(usual.templates, mixed.templates)
    counts = np.bincount(mixed.spikes["unit_index"], minlength=8)
    assert (counts[rare] < 30).all() and (counts[~rare] > 60).all()
