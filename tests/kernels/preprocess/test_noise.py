"""Noise levels against NumPy."""

import numpy as np
import pytest

from xephys.kernels.preprocess.noise import noise_levels


@pytest.mark.parametrize("rows", [1, 2, 3, 16, 999, 1000, 20_001])
@pytest.mark.parametrize("dtype", ["int16", "float32", "float64"])
def test_mad_equals_numpy_to_the_bit(rows, dtype):
    rng = np.random.default_rng(rows)
    traces = (rng.standard_t(3, (rows, 19)) * 20 + rng.uniform(-500, 500, 19)).astype(dtype)
    x = traces.astype("float32")
    want = np.median(np.abs(x - np.median(x, axis=0)), axis=0).astype("float64") / 0.6744897501960817
    np.testing.assert_array_equal(noise_levels(traces), want)


def test_constant_mostly_constant_and_nan_channels():
    traces = np.zeros((1000, 3), "float32")
    traces[:3, 1] = 50
    traces[7, 2] = np.nan
    np.testing.assert_array_equal(noise_levels(traces), [0, 0, np.nan])


def test_std_and_rms_in_double_precision():
    traces = (np.random.default_rng(0).normal(1e4, 5, (5000, 20))).astype("float32")
    np.testing.assert_allclose(noise_levels(traces, method="std"), traces.astype("float64").std(axis=0), rtol=1e-12)
    want = np.sqrt((traces.astype("float64") ** 2).mean(axis=0))
    np.testing.assert_allclose(noise_levels(traces, method="rms"), want, rtol=1e-12)
    integers = np.full((10, 2), 30_000, "int16")
    np.testing.assert_array_equal(noise_levels(integers, method="rms"), [30_000, 30_000])


def test_mad_estimates_the_standard_deviation_under_spikes():
    traces = np.random.default_rng(1).normal(0, 10, (60_000, 2))
    traces[::500] -= 400
    np.testing.assert_allclose(noise_levels(traces), 10, rtol=0.03)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="method"):
        noise_levels(np.zeros((3, 2)), method="iqr")
    with pytest.raises(ValueError, match="not empty"):
        noise_levels(np.zeros((0, 2)))
