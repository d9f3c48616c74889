"""Metrics of the drift of a unit."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.metrics.drift import drift, drifts


def test_a_slope_in_two_segments() -> None:
    train = np.arange(0, 1000)
    up, down = np.linspace(0, 10, 1000), np.linspace(10, 0, 1000)
    edges = np.array([0, 250, 500, 750, 1000])
    ptp, std, mad = drift([train, train], [up, down], [edges, edges])
    assert ptp == pytest.approx(7.5, rel=0.01)
    assert mad == pytest.approx(2.5, rel=0.01)
    assert std == pytest.approx(np.std([1.25, 3.75, 6.25, 8.75]), rel=0.01)


def test_too_few_bins_or_spikes() -> None:
    train, place = np.arange(1000), np.zeros(1000)
    assert np.isnan(drift([train], [place], [np.array([0, 1000])])).all()
    sparse = np.concatenate([np.arange(200), [300, 500, 700]])
    edges = np.array([0, 250, 500, 750, 1000])
    assert np.isnan(drift([sparse], [np.zeros(203)], [edges])).all()
    assert np.isnan(drift([train[:0]], [place[:0]], [edges])).all()


def test_units_one_by_one() -> None:
    samples = np.tile(np.arange(400), 2)
    places = np.concatenate([np.zeros(400), np.repeat([0.0, 4.0], 200)])
    parts = np.array([[0, 400], [400, 800], [800, 800]])
    found = drifts(samples, places, parts, np.array([430]), bin_samples=200)
    np.testing.assert_array_equal(found, [[0, 0, 0], [4, 2, 2], [np.nan] * 3])
