"""Rasters, their smoothing and windows equal NumPy's and SciPy's."""

import numpy as np
import pytest
from scipy.ndimage import convolve1d

from xephys.kernels.motion.histogram import depth_raster, gaussian_kernel, smooth_columns, smooth_rows, spatial_windows


def test_sum_of_weights_in_each_cell():
    rng = np.random.default_rng(0)
    time, depth = rng.integers(-1, 8, 500), rng.integers(-2, 12, 500)
    weight = rng.uniform(1, 2, 500).astype(np.float32)
    inside = (time >= 0) & (time < 7) & (depth >= 0) & (depth < 10)
    wanted = np.zeros((7, 10))
    np.add.at(wanted, (time[inside], depth[inside]), weight[inside])
    np.testing.assert_allclose(depth_raster(time, depth, weight, 7, 10), wanted, rtol=1e-5)


@pytest.mark.parametrize(("smooth", "axis"), [(smooth_rows, 1), (smooth_columns, 0)])
def test_smoothing_is_convolution_with_zeros_beyond_the_ends(smooth, axis):
    values = np.random.default_rng(1).poisson(0.5, (20, 30)).astype(np.float32)
    kernel = gaussian_kernel(1.7)
    assert kernel.sum() == pytest.approx(1)
    wanted = convolve1d(values.astype(float), kernel, axis=axis, mode="constant")
    np.testing.assert_allclose(smooth(values, kernel), wanted, atol=1e-5)


def test_a_width_of_zero_changes_nothing():
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert smooth_rows(values, gaussian_kernel(0.0)).tolist() == values.tolist()


@pytest.mark.parametrize("shape", ["gaussian", "triangle", "rect"])
def test_windows_have_sum_one_and_their_center(shape):
    depth = np.arange(0.0, 1000.0, 5)
    windows = spatial_windows(depth, centers_um=np.array([450.0, 600.0]), scale_um=200.0, shape=shape)
    np.testing.assert_allclose(windows.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(windows @ depth, [450.0, 600.0], atol=0.1)
    if shape == "gaussian":  # twice the standard deviation
        assert np.sqrt(windows[0] @ (depth - 450.0) ** 2) == pytest.approx(100, rel=0.02)
    else:
        assert not windows[0, np.abs(depth - 450.0) > 100].any()
