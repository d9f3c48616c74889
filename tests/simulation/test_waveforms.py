"""Waveforms of the simulator: every kind has its extremum at zero, its sign, and ends at zero."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.simulation.waveforms import KINDS, OVERSAMPLING, fine_axis, make_waveform


@pytest.mark.parametrize("kind", [*KINDS, "dendritic"])
@pytest.mark.parametrize("seed", range(5))
def test_shape_of_each_kind(kind, seed):
    t = fine_axis(30_000.0)
    wave = make_waveform(kind, t, np.random.default_rng(seed))
    assert wave.dtype == "f4"
    extremum = np.abs(wave).argmax()
    assert abs(wave[extremum]) == 1.0
    assert abs(t[extremum]) < 0.15
    assert wave[extremum] == (1.0 if kind == "positive" else -1.0)
    assert abs(wave[0]) < 1e-6 and abs(wave[-1]) < 1e-6


def test_the_axis_has_its_zero_on_an_entry():
    t = fine_axis(25_000.0)
    assert np.abs(t).min() < 1e-9
    np.testing.assert_allclose(np.diff(t), 1000 / (25_000 * OVERSAMPLING))
