"""Motion from localized peaks: first pairwise correlations, then every peak against the density of all others.

1. Rasters of amplitude by depth and time are correlated between pairs of bins, in windows along the shank. A banded
   system gives the smooth displacements that agree best with all pairs (DREDge).
2. The registered bins are added up in blocks, which are correlated with each other over the whole time horizon, and
   then in long blocks, over the whole recording. This corrects what many small errors have added up to.
3. Each peak is compared with the density of the registered peaks of other bins over depth and amplitude. The slope of
   the density tells how the displacement should change, and how well it is known. How far the tissue moves from bin to
   bin, and how differently at different depths, is learned from the data.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..checks import check_choice, check_positive
from ..graph.local import map_in_threads
from .register import register_to_density
from .shank_peaks import Course, ShankPeaks
from .windows import spread_lags, window_centers

#: Number of time bins that are solved at once; earlier ones are fixed.
_SEGMENT_BINS = 4096
#: Maximum distance, in bins, of pairs of single bins; slower movement is left to blocks.
_BIN_REACH = 40
#: Number of bins in a block, and in a long one, which is compared with all others however far they are apart.
_BLOCK_BINS = 32
_LONG_BLOCK_BINS = 1024
#: Smoothness of blocks, low so that their pairs dominate.
_BLOCK_SMOOTHNESS = 0.1


class _Rasters(NamedTuple):
    low_um: float
    bin_um: float
    n_depths: int
    depth_kernel: NDArray[np.float64]
    time_kernel: NDArray[np.float64]
    avg_in_bin: bool


class _Pairs(NamedTuple):
    windows: NDArray[np.float32]
    centers_um: NDArray[np.float64]
    lag_max: int
    mincorr: float
    activity: tuple[float, float] | None
    lambda_t: float
    lambda_s: float


def estimate_by_dredge(
    peaks: ShankPeaks,
    earlier: Course | None = None,
    *,
    rigid: bool = False,
    win_shape: str = "gaussian",
    win_step_um: float = 400.0,
    win_scale_um: float = 450.0,
    win_margin_um: float | None = None,
    bin_um: float = 2.0,
    disp_max_um: float | None = None,
    time_horizon_s: float = 1000.0,
    mincorr: float = 0.1,
    do_window_weights: bool = True,
    weights_threshold_low: float = 0.2,
    weights_threshold_high: float = 0.2,
    histogram_depth_smooth_um: float = 2.0,
    histogram_time_smooth_s: float = 1.0,
    avg_in_bin: bool = False,
    lambda_t: float = 1.0,
    lambda_s: float = 1.0,
    knot_step_um: float = 200.0,
) -> Course:
    """Motion of one shank. The parameters have DREDge's names; all but the last belong to the first two steps.

    Parameters
    ----------
    peaks
        Peaks of one shank.
    earlier
        Known course of the first bins, which is kept and continued.
    rigid
        Whether to use one displacement for all depths.
    win_shape, win_step_um, win_scale_um, win_margin_um
        Shape (``"gaussian"``, ``"triangle"``, ``"rect"``), distance and width of the windows along depth, and the
        maximum distance of their centers outside the contacts; by default, minus half the width.
    bin_um
        Width of a bin of the rasters.
    disp_max_um
        Maximum displacement between two bins; by default, a quarter of the window's width (rigid: of the shank).
    time_horizon_s
        Maximum time between two bins that are compared; the last step compares peaks twice as far apart.
    mincorr
        Minimum correlation of a pair.
    do_window_weights, weights_threshold_low, weights_threshold_high
        Whether pairs with a nearly empty bin get less weight: none if the sum of the raster in the window is below the
        lower threshold, a weight proportional to the sum below the upper one, and full weight above.
    histogram_depth_smooth_um, histogram_time_smooth_s
        Standard deviations with which the rasters are smoothed; 0 for no smoothing.
    avg_in_bin
        Whether rasters hold mean amplitudes instead of sums.
    lambda_t, lambda_s
        Smoothness in time, and between neighboring windows.
    knot_step_um
        Distance between the depths at which the last step estimates displacement, which is linear in between.

    Raises
    ------
    ParameterError
        If a number is outside its limits.
    """
    check_choice("win_shape", win_shape, ("gaussian", "triangle", "rect"))
    check_positive(
        win_step_um=win_step_um, win_scale_um=win_scale_um, bin_um=bin_um, time_horizon_s=time_horizon_s,
        knot_step_um=knot_step_um, **({} if disp_max_um is None else {"disp_max_um": disp_max_um}),
    )  # fmt: skip
    from ..kernels.motion.histogram import gaussian_kernel, spatial_windows

    reach = disp_max_um or (peaks.height_um / 4 if rigid else win_scale_um / 4)
    low = peaks.contacts_um[0] - 100.0
    n_depths = int(np.ceil((peaks.height_um + 200.0) / bin_um))
    rasters = _Rasters(
        low_um=low,
        bin_um=bin_um,
        n_depths=n_depths,
        depth_kernel=gaussian_kernel(histogram_depth_smooth_um / bin_um),
        time_kernel=gaussian_kernel(histogram_time_smooth_s / peaks.bin_s),
        avg_in_bin=avg_in_bin,
    )
    depths = low + bin_um * (np.arange(n_depths) + 0.5)
    centers = window_centers(
        peaks, rigid=rigid, step_um=win_step_um, margin_um=-win_scale_um / 2 if win_margin_um is None else win_margin_um
    )
    if rigid:
        windows = np.full((1, n_depths), 1 / n_depths, np.float32)
    else:
        windows = spatial_windows(depths, centers_um=centers, scale_um=win_scale_um, shape=win_shape)
    pairs = _Pairs(
        windows=windows,
        centers_um=centers,
        lag_max=max(1, round(reach / bin_um)),
        mincorr=mincorr,
        activity=(weights_threshold_low, weights_threshold_high) if do_window_weights else None,
        lambda_t=lambda_t,
        lambda_s=lambda_s,
    )
    horizon = max(1, int(time_horizon_s / peaks.bin_s))
    kept = np.zeros((0, len(centers)))
    if earlier is not None:
        kept = np.stack([np.interp(centers, earlier.depth_um, row) for row in earlier.displacement_um])
    course = _course_of_bins(peaks, rasters, pairs, kept, min(horizon, _BIN_REACH))
    course = course + _course_of_blocks(peaks, rasters, pairs, course, len(kept), _BLOCK_BINS, horizon)
    if peaks.n_times > 2 * horizon:
        course = course + _course_of_blocks(peaks, rasters, pairs, course, len(kept), _LONG_BLOCK_BINS, peaks.n_times)
    low_um, high_um = peaks.contacts_um
    n_knots = 1 if rigid else max(1, round(peaks.height_um / knot_step_um)) + 1
    knots = np.linspace(low_um, high_um, n_knots) if n_knots > 1 else np.array([(low_um + high_um) / 2])
    start = _at_knots(course, centers, knots)
    if earlier is None:
        return Course(*register_to_density(peaks, start, knots, horizon_bins=horizon), knots)
    fixed = np.stack([np.interp(knots, earlier.depth_um, row) for row in earlier.displacement_um])
    return Course(*register_to_density(peaks, start, knots, horizon_bins=horizon, fixed=fixed), knots)


def _at_knots(
    course: NDArray[np.float64], centers: NDArray[np.float64], knots: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Displacement at the knots: linear between the windows and, since these end well inside the shank, beyond them."""
    if len(centers) == 1:
        return np.repeat(course, len(knots), axis=1)
    below = np.clip(np.searchsorted(centers, knots) - 1, 0, len(centers) - 2)
    share = (knots - centers[below]) / (centers[below + 1] - centers[below])
    return np.asarray(course[:, below] * (1 - share) + course[:, below + 1] * share)


def _course_of_bins(
    peaks: ShankPeaks, rasters: _Rasters, pairs: _Pairs, kept: NDArray[np.float64], reach: int
) -> NDArray[np.float64]:
    course = np.zeros((peaks.n_times, len(pairs.windows)))
    course[: len(kept)] = kept
    lags = spread_lags(min(reach, peaks.n_times - 1))
    margin = len(rasters.time_kernel) // 2
    for start in range(len(kept), peaks.n_times, _SEGMENT_BINS):
        stop = min(start + _SEGMENT_BINS, peaks.n_times)
        first = max(0, start - int(lags[-1]))
        low, high = max(0, first - margin), min(peaks.n_times, stop + margin)
        raster = _raster_of_bins(peaks, rasters, low, high)[first - low : stop - low]
        course[start:stop] = _solve(raster, pairs, rasters, lags, course[first:start], pairs.lambda_t)[start - first :]
    return course


def _course_of_blocks(
    peaks: ShankPeaks,
    rasters: _Rasters,
    pairs: _Pairs,
    course: NDArray[np.float64],
    n_kept: int,
    block_bins: int,
    horizon: int,
) -> NDArray[np.float64]:
    """Correction of every bin from the registered blocks; zero for blocks of bins that are kept."""
    from ..kernels.motion.histogram import depth_raster, smooth_rows

    n_blocks = -(-peaks.n_times // block_bins)
    if n_blocks < 2:
        return np.zeros_like(course)
    raster = np.zeros((n_blocks, rasters.n_depths), np.float32)
    for start in range(0, peaks.n_times, _SEGMENT_BINS):
        stop = min(start + _SEGMENT_BINS, peaks.n_times)
        own, bins = peaks.bins_of(start, stop)
        shift = _displacement(course[start:stop], pairs.centers_um, bins, peaks.depth_um[own])
        depth = np.floor((peaks.depth_um[own] - shift - rasters.low_um) / rasters.bin_um).astype(np.int64)
        first, last = start // block_bins, -(-stop // block_bins)
        part = depth_raster(bins // block_bins, depth, peaks.amplitude[own], last - first, rasters.n_depths)
        raster[first:last] += part
    raster = np.log1p(smooth_rows(raster / np.float32(block_bins), rasters.depth_kernel))
    lags = np.arange(1, min(max(horizon // block_bins, 1), n_blocks - 1) + 1)
    right = np.zeros((min(n_kept // block_bins, n_blocks - 1), len(pairs.windows)))
    found = _solve(raster, pairs, rasters, lags, right, _BLOCK_SMOOTHNESS * pairs.lambda_t)
    middle = np.minimum((np.arange(n_blocks) + 0.5) * block_bins, peaks.n_times)
    lacking = np.stack([np.interp(np.arange(peaks.n_times) + 0.5, middle, column) for column in found.T], axis=1)
    lacking[:n_kept] = 0.0
    return lacking


def _raster_of_bins(peaks: ShankPeaks, rasters: _Rasters, start: int, stop: int) -> NDArray[np.float32]:
    from ..kernels.motion.histogram import depth_raster, smooth_columns, smooth_rows

    own, bins = peaks.bins_of(start, stop)
    depth = np.floor((peaks.depth_um[own] - rasters.low_um) / rasters.bin_um).astype(np.int64)
    raster: NDArray[np.float32] = depth_raster(bins, depth, peaks.amplitude[own], stop - start, rasters.n_depths)
    if rasters.avg_in_bin:
        counts = depth_raster(bins, depth, np.ones(len(bins), np.float32), stop - start, rasters.n_depths)
        raster = raster / np.maximum(counts, 1)
    raster = np.log1p(smooth_rows(raster, rasters.depth_kernel))
    return np.asarray(smooth_columns(raster, rasters.time_kernel), np.float32)


def _solve(
    raster: NDArray[np.float32],
    pairs: _Pairs,
    rasters: _Rasters,
    lags: NDArray[np.int64],
    fixed: NDArray[np.float64],
    lambda_t: float,
) -> NDArray[np.float64]:
    from ..kernels.motion.chain import solve_pairs
    from ..kernels.motion.dredge import pair_lags, pair_weights

    compare: Any = partial(_compare, pair_lags, raster, lags, pairs.lag_max, len(fixed))
    found = map_in_threads(compare, list(pairs.windows))
    lag_um = np.stack([lag for lag, _ in found], axis=-1) * np.float32(rasters.bin_um)
    correlation = np.stack([value for _, value in found], axis=-1)
    activity = raster @ pairs.windows.T if pairs.activity else None
    weight = pair_weights(correlation, lags, mincorr=pairs.mincorr, activity=activity, limits=pairs.activity)
    return solve_pairs(lag_um, weight, lags, time_smoothness=lambda_t, depth_smoothness=pairs.lambda_s, fixed=fixed)


def _compare(kernel: Any, raster: Any, lags: Any, lag_max: int, first: int, window: Any) -> Any:
    return kernel(raster, window, lags, lag_max, first)


def _displacement(
    course: NDArray[np.float64], depths: NDArray[np.float64], bins: NDArray[np.int64], depth_um: NDArray[Any]
) -> NDArray[np.float64]:
    from ..kernels.motion.interpolate import displacement_at

    times = np.arange(len(course)) + 0.5
    everywhere = np.zeros(len(bins), np.int64)
    found: NDArray[np.float64] = displacement_at(
        course[None], times, depths, everywhere, bins + 0.5, depth_um.astype(np.float64), False
    )
    return found
