"""Backgrounds equal those of NumPy and SciPy."""

import numpy as np
import pytest
from scipy.interpolate import BSpline

from xephys.kernels.simulation.background import (
    add_filtered,
    add_outer,
    add_spline_field,
    digitise,
    lower_root,
    mix_modes,
)


def test_spline_field_is_a_uniform_cubic_spline():
    rng, factor, n = np.random.default_rng(0), 16, 160
    knots = rng.standard_normal((n // factor + 3, 3)).astype(np.float32)
    traces = np.ones((n, 3), np.float32)
    add_spline_field(traces, knots, factor)
    spline = BSpline(np.arange(-3, len(knots) + 1), knots.astype(float), 3)
    np.testing.assert_allclose(traces, 1 + spline(np.arange(n) / factor), atol=1e-5)


def test_spline_field_continues_over_a_border():
    rng, factor = np.random.default_rng(0), 16
    knots = rng.standard_normal((23, 2)).astype(np.float32)
    whole, parts = np.zeros((320, 2), np.float32), np.zeros((320, 2), np.float32)
    add_spline_field(whole, knots, factor)
    add_spline_field(parts[:160], knots[:13], factor)
    add_spline_field(parts[160:], knots[10:], factor)
    np.testing.assert_array_equal(parts, whole)


def test_add_filtered_is_a_moving_average():
    rng = np.random.default_rng(0)
    noise, taps, size = (
        rng.standard_normal((102, 4)).astype("f4"),
        np.array([1, 0.5, -0.25], "f4"),
        np.arange(4, dtype="f4"),
    )
    traces = np.zeros((100, 4), np.float32)
    add_filtered(traces, noise, taps, size)
    expected = np.stack([np.convolve(noise[:, c], taps, "valid") * c for c in range(4)], axis=1)
    np.testing.assert_allclose(traces, expected, atol=1e-5)


@pytest.mark.parametrize("first", [-30, -5, 0, 40, 95, 200])
def test_add_outer_is_cut_to_the_traces(first):
    course, loading = np.arange(1, 21, dtype="f4"), np.array([1, -2], "f4")
    wide = np.zeros((400, 2), np.float32)
    wide[100 + first : 120 + first] = np.outer(course, loading)
    traces = np.zeros((100, 2), np.float32)
    add_outer(traces, first, course, loading)
    np.testing.assert_array_equal(traces, wide[100:200])


def test_mix_modes():
    rng = np.random.default_rng(0)
    modes, loading = rng.standard_normal((50, 6)), rng.standard_normal((6, 9))
    np.testing.assert_allclose(mix_modes(modes, loading), modes @ loading, atol=1e-5)


def test_digitise_rounds_clips_and_silences():
    traces = np.array([[1.0, 1e5, 3.0], [-2.6, -1e5, 3.0]], np.float32)
    live, offset = np.array([True, True, False]), np.array([0.0, 0.0, 10.0], np.float32)
    out = digitise(traces, offset, live, 2.0, 100)
    np.testing.assert_array_equal(out, [[0, 100, 5], [-1, -100, 5]])
    assert out.dtype == np.int16


def test_lower_root_is_that_of_lapack():
    rng = np.random.default_rng(0)
    mixed = rng.standard_normal((12, 20))
    matrix = mixed @ mixed.T
    np.testing.assert_allclose(lower_root(matrix), np.linalg.cholesky(matrix), rtol=1e-9, atol=1e-12)
