"""Medians of rows equal NumPy's to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.support.references import reference_by_numpy
from xephys.kernels.lib.median import median_deviations
from xephys.kernels.preprocess.reference import common_reference


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 15, 16, 17, 32, 33, 64, 383, 384])
@pytest.mark.parametrize("dtype", ["int16", "uint16", "float32", "float64"])
def test_median_equals_numpy_to_the_bit(channels, dtype):
    rng = np.random.default_rng(channels)
    common = 30 * rng.standard_normal((400, 1)) * rng.choice([1, 1, 1, 40], (400, 1))
    traces = (1000 + common + 10 * rng.standard_normal((400, channels))).astype(dtype)
    np.testing.assert_array_equal(common_reference(traces), reference_by_numpy(traces, "median"))


awkward = (
    st.floats(-(2.0**126), 2.0**126, width=32)
    | st.sampled_from([np.inf, -np.inf])
    | st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e-45, -1e-45, 1e38, -1e38])
)


@settings(max_examples=150, deadline=None)
@given(arrays("float32", st.tuples(st.integers(1, 6), st.integers(1, 40)), elements=awkward))
def test_median_of_awkward_numbers(traces):
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(common_reference(traces), reference_by_numpy(traces, "median"))


@settings(max_examples=60, deadline=None)
@given(arrays("int16", st.tuples(st.integers(1, 6), st.integers(1, 80)), elements=st.integers(-3, 3)))
def test_median_of_ties(traces):
    np.testing.assert_array_equal(common_reference(traces), reference_by_numpy(traces, "median"))


@pytest.mark.parametrize("n", [1, 2, 15, 16, 33, 1000])
def test_median_deviations_of_rows_are_numpys(n):
    rng = np.random.default_rng(n)
    rows = (rng.standard_normal((12, n)) * rng.choice([0.01, 1, 300], (12, 1))).astype("float32")
    rows[3, n // 2], rows[5], rows[7, 0], rows[9] = np.nan, 0, np.inf, -np.inf  # searches begin at what these leave
    with np.errstate(all="ignore"):
        middle = np.median(rows, axis=1, keepdims=True)
        np.testing.assert_array_equal(median_deviations(rows, False), np.median(np.abs(rows), axis=1))
        np.testing.assert_array_equal(median_deviations(rows, True), np.median(np.abs(rows - middle), axis=1))
