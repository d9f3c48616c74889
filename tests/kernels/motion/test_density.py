"""The pull of a density on peaks equals the numerical slope of its likelihood."""

import numpy as np
import pytest
from scipy.ndimage import convolve1d

from xephys.kernels.motion.density import moving_shares, pulls, registered_counts
from xephys.kernels.motion.histogram import gaussian_kernel, smooth_columns, smooth_rows

LOW, N_DEPTHS, N_LEVELS = -50.0, 300, 5
DEPTH_KERNEL, LEVEL_KERNEL = gaussian_kernel(4.0), np.array([0.2, 0.6, 0.2])
KNOTS = np.array([0.0, 100.0, 200.0])


@pytest.fixture
def peaks():
    rng = np.random.default_rng(0)
    unit = rng.integers(0, 6, 600)
    depth = np.array([15.0, 60.0, 77.0, 120.0, 160.0, 190.0])[unit] + rng.normal(0, 4, 600)
    return np.arange(0, 601, 20), depth, (unit % N_LEVELS).astype(np.uint8)


def table_of(depth, level, displacement):
    counts = registered_counts(depth, level, displacement, np.ones(len(depth), "f4"), LOW, 1.0, N_DEPTHS, N_LEVELS)
    return smooth_columns(smooth_rows(counts, DEPTH_KERNEL), LEVEL_KERNEL)


def pull(peaks, displacement):
    offsets, depth, level = peaks
    slope, information = np.zeros((len(offsets) - 1, 3)), np.zeros((len(offsets) - 1, 3, 2))
    density, share = table_of(depth, level, displacement), np.ones(len(depth), np.float32)
    pulls(
        offsets, depth, level, displacement, share, KNOTS, density, np.zeros_like(density), DEPTH_KERNEL, LEVEL_KERNEL,
        LOW, 1.0, slope, information,
    )  # fmt: skip
    return slope, information


def test_counts_by_registered_depth(peaks):
    _, depth, level = peaks
    displacement = np.linspace(-5, 5, len(depth))
    weight = np.linspace(0, 1, len(depth)).astype(np.float32)
    found = registered_counts(depth, level, displacement, weight, LOW, 2.0, 150, N_LEVELS)
    edges = [np.arange(N_LEVELS + 1), LOW + 2.0 * np.arange(151)]
    wanted, *_ = np.histogram2d(level, depth - displacement, bins=edges, weights=weight)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def reference(peaks, displacement, resting):
    """Slope and information of each bin, peak by peak, with the bin itself left out of the density."""
    offsets, depth, level = peaks
    density, single = table_of(depth, level, displacement), DEPTH_KERNEL.max() * 0.6
    centers = LOW + 0.5 + np.arange(N_DEPTHS)
    slope, information = np.zeros((len(offsets) - 1, 3)), np.zeros((len(offsets) - 1, 3, 3))
    curvature, known, squared = np.zeros(3), np.zeros(3), np.zeros(3)
    for t in range(len(offsets) - 1):
        own = slice(offsets[t], offsets[t + 1])
        others = density - table_of(depth[own], level[own], displacement[own])
        for y, k, d in zip(depth[own], level[own], displacement[own], strict=True):
            value = np.interp(y - d, centers, others[k])
            rise = np.interp(y - d, centers[1:-1], (others[k, 2:] - others[k, :-2]) / 2)
            bend = np.interp(y - d, centers[1:-1], others[k, 2:] - 2 * others[k, 1:-1] + others[k, :-2])
            total = max(value, 0) + resting[k, int(y - LOW)] + 3 * single
            score, weight = -rise / total, 1 / (1 + total / (5 * single))
            hats = np.maximum(0, 1 - np.abs(np.clip(y, 0, 200) - KNOTS) / 100.0)
            slope[t] += weight * score * hats
            information[t] += weight * score**2 * np.outer(hats, hats)
            curvature += hats * weight * ((2 - weight) * score**2 - bend / total)
            known += hats * weight * score**2
            squared += hats * weight**2 * score**2
    scale = np.sqrt(curvature**2 / squared / known)
    return slope * curvature / squared, information * scale[:, None] * scale


def test_pull_equals_that_of_each_peak(peaks):
    offsets, depth, level = peaks
    displacement = np.sin(depth / 50.0)
    resting = np.random.default_rng(1).gamma(1, 0.05, (N_LEVELS, N_DEPTHS)).astype(np.float32)
    slope, information = np.zeros((len(offsets) - 1, 3)), np.zeros((len(offsets) - 1, 3, 2))
    pulls(
        offsets, depth, level, displacement, np.ones(len(depth), np.float32), KNOTS,
        table_of(depth, level, displacement), resting, DEPTH_KERNEL, LEVEL_KERNEL, LOW, 1.0, slope, information,
    )  # fmt: skip
    wanted, full = reference(peaks, displacement, resting)
    np.testing.assert_allclose(slope, wanted, atol=1e-4)
    np.testing.assert_allclose(information[..., 0], np.diagonal(full, axis1=1, axis2=2), atol=1e-4)
    np.testing.assert_allclose(information[:, :2, 1], np.diagonal(full, 1, axis1=1, axis2=2), atol=1e-4)


def test_noise_has_no_information():
    """The exception are the ends, where its density drops."""
    rng = np.random.default_rng(3)
    depth, level = rng.uniform(0, 200, 3000), rng.integers(0, N_LEVELS, 3000)
    _, noise = pull((np.arange(0, 3001, 100), depth, level), np.zeros(3000))
    units = np.round(depth / 40) * 40 + rng.normal(0, 4, 3000)
    _, information = pull((np.arange(0, 3001, 100), units, level), np.zeros(3000))
    assert noise[:, 1, 0].sum() < 0.02 * information[:, 1, 0].sum()


def test_resting_peaks_are_distinguished_from_moving_ones():
    """A cluster that is sharp in registered depth moves; one that is sharp in observed depth rests."""
    rng = np.random.default_rng(2)
    displacement = np.repeat(np.linspace(-20, 20, 100), 10)
    moves = np.tile([True, False], 500)
    depth = np.where(moves, 60.0 + displacement, 150.0) + rng.normal(0, 3, 1000)
    level, share = np.zeros(1000, np.int64), np.full(1000, 0.9, np.float32)
    for _ in range(6):
        density, resting = (
            smooth_rows(registered_counts(depth, level, d, w, LOW, 1.0, N_DEPTHS, N_LEVELS), DEPTH_KERNEL)
            for d, w in ((displacement, share), (np.zeros(1000), 1 - share))
        )
        share = moving_shares(depth, level, displacement, density, resting, DEPTH_KERNEL.max(), LOW, 1.0)
    assert np.median(share[moves]) > 0.95
    assert np.median(share[~moves]) < 0.2


def test_displaced_bins_are_pulled_back(peaks):
    """A bin that is 3 µm too high is pulled down by about that much."""
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
    ones = np.ones(len(depth), np.float32)
    counts = registered_counts(depth, level, np.zeros(len(depth)), ones, LOW, 1.0, N_DEPTHS, N_LEVELS)
    wanted = convolve1d(
        convolve1d(counts, DEPTH_KERNEL, axis=1, mode="constant"), LEVEL_KERNEL, axis=0, mode="constant"
    )
    np.testing.assert_allclose(table_of(depth, level, np.zeros(len(depth))), wanted, atol=1e-4)
