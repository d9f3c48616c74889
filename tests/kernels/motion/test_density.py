"""The pull of a density on peaks, against the numerical slope of the likelihood it stands for."""

import numpy as np
import pytest
from scipy.ndimage import convolve1d

from xephys.kernels.motion.density import pulls, registered_counts
from xephys.kernels.motion.histogram import gaussian_kernel, smooth_columns, smooth_rows

LOW, N_DEPTHS, N_LEVELS = -50.0, 300, 5
DEPTH_KERNEL, LEVEL_KERNEL = gaussian_kernel(4.0), np.array([0.2, 0.6, 0.2])
KNOTS = np.array([0.0, 100.0, 200.0])


@pytest.fixture
def peaks():
    rng = np.random.default_rng(0)
    unit = rng.integers(0, 6, 600)
    depth = np.array([15.0, 60.0, 77.0, 120.0, 160.0, 190.0])[unit] + rng.normal(0, 4, 600)
    return np.arange(0, 601, 20), depth, (unit % N_LEVELS).astype(np.int64)


def table_of(depth, level, displacement):
    counts = registered_counts(depth, level, displacement, LOW, 1.0, N_DEPTHS, N_LEVELS)
    return smooth_columns(smooth_rows(counts, DEPTH_KERNEL), LEVEL_KERNEL)


def pull(peaks, displacement):
    offsets, depth, level = peaks
    slope, information = np.zeros((len(offsets) - 1, 3)), np.zeros((len(offsets) - 1, 3, 2))
    density = table_of(depth, level, displacement)
    pulls(offsets, depth, level, displacement, KNOTS, density, DEPTH_KERNEL, LEVEL_KERNEL, LOW, 1.0, slope, information)
    return slope, information


def test_counts_by_registered_depth(peaks):
    _, depth, level = peaks
    displacement = np.linspace(-5, 5, len(depth))
    found = registered_counts(depth, level, displacement, LOW, 2.0, 150, N_LEVELS)
    edges = [np.arange(N_LEVELS + 1), LOW + 2.0 * np.arange(151)]
    wanted, *_ = np.histogram2d(level, depth - displacement, bins=edges)
    np.testing.assert_array_equal(found, wanted)


def test_slope_is_that_of_the_likelihood_without_the_bin_itself(peaks):
    offsets, depth, level = peaks
    zero = np.zeros(len(depth))
    slope, information = pull(peaks, zero)
    density = table_of(depth, level, zero)
    background = 3.0 * DEPTH_KERNEL.max() * 0.6
    for t in (0, 7, 29):
        own = slice(offsets[t], offsets[t + 1])
        others = np.maximum(density - table_of(depth[own], level[own], zero[own]), 0) + background
        hats = np.maximum(0, 1 - np.abs(depth[own, None] - KNOTS) / 100.0)
        centers = LOW + 0.5 + np.arange(N_DEPTHS)

        def likelihood(shift, own=own, others=others, hats=hats, centers=centers):
            places = depth[own] - hats @ shift
            return sum(np.log(np.interp(y, centers, row)) for y, row in zip(places, others[level[own]], strict=True))

        step = 0.75 * np.eye(3)
        numerical = np.array([(likelihood(s) - likelihood(-s)) / 1.5 for s in step])
        np.testing.assert_allclose(slope[t], numerical, atol=0.1 * np.abs(slope).max())
        assert (information[t, :, 0] > 0).all()


def test_bins_are_pulled_back_to_where_they_belong(peaks):
    """A bin that lies 3 µm too high is told to move down by about that much."""
    offsets, depth, level = peaks
    wrong = np.zeros(len(depth))
    bins = np.repeat(np.arange(len(offsets) - 1), 20)
    wrong[bins % 3 == 0] = -3.0
    slope, information = pull((offsets, depth, level), wrong)
    newton = slope.sum(axis=1) / (information[..., 0].sum(axis=1) + 2 * information[..., 1].sum(axis=1))
    assert np.median(newton[::3]) > 1.0
    assert np.median(newton[1::3]) < np.median(newton[::3]) - 1.0


def test_a_single_bin_is_not_compared_with_itself():
    depth, level = np.array([50.0, 51.0, 80.0]), np.zeros(3, np.int64)
    slope, information = pull((np.array([0, 3]), depth, level), np.zeros(3))
    np.testing.assert_allclose(slope, 0, atol=1e-6)
    np.testing.assert_allclose(information, 0, atol=1e-6)


def test_smoothing_of_the_table_is_that_of_its_peaks(peaks):
    _, depth, level = peaks
    counts = registered_counts(depth, level, np.zeros(len(depth)), LOW, 1.0, N_DEPTHS, N_LEVELS)
    wanted = convolve1d(
        convolve1d(counts, DEPTH_KERNEL, axis=1, mode="constant"), LEVEL_KERNEL, axis=0, mode="constant"
    )
    np.testing.assert_allclose(table_of(depth, level, np.zeros(len(depth))), wanted, atol=1e-4)
