"""Decentralized registration: all pairs of time bins within the horizon, solved without outliers."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checks import check_choice, check_positive
from ..errors import ParameterError
from ..graph.local import map_in_threads
from .shank_peaks import Course, ShankPeaks
from .windows import window_centers

#: Maximum size of the system that is solved.
_BYTES_MAX = 4e9


def estimate_by_decentralized(
    peaks: ShankPeaks,
    *,
    rigid: bool = False,
    win_shape: str = "gaussian",
    win_step_um: float = 100.0,
    win_scale_um: float = 300.0,
    win_margin_um: float | None = None,
    bin_um: float = 2.0,
    displacement_max_um: float = 100.0,
    time_horizon_s: float | None = 120.0,
    corr_threshold: float = 0.1,
    temporal_prior: bool = True,
    spatial_prior: bool = True,
    robust_regression_sigma: float = 2.0,
    lsqr_robust_n_iter: int = 5,
    weight_with_amplitude: bool = False,
    histogram_depth_smooth_um: float = 5.0,
    histogram_time_smooth_s: float = 1.0,
) -> Course:
    """Motion of one shank, with SpikeInterface's parameter names where they exist.

    Parameters
    ----------
    peaks
        Peaks of one shank.
    rigid
        Whether to use one displacement for all depths.
    win_shape, win_step_um, win_scale_um, win_margin_um
        Windows along depth, as in :func:`xephys.motion.dredge.estimate_by_dredge`.
    bin_um
        Width of a bin of depth.
    displacement_max_um
        Maximum displacement between two bins.
    time_horizon_s
        Maximum time between the bins of a pair; if None, all pairs are used, and memory and time grow steeply.
    corr_threshold
        Minimum correlation of a pair.
    temporal_prior, spatial_prior
        Whether steps in time, and between neighboring windows, are penalized.
    robust_regression_sigma, lsqr_robust_n_iter
        In each repetition, pairs that deviate from the solution by more standard deviations than the first are left
        out.
    weight_with_amplitude
        Whether rasters hold sums of amplitudes instead of counts.
    histogram_depth_smooth_um, histogram_time_smooth_s
        Standard deviations with which the rasters are smoothed.

    Raises
    ------
    ParameterError
        If a number is outside its limits, or the horizon makes the system too large.
    """
    check_choice("win_shape", win_shape, ("gaussian", "triangle", "rect"))
    check_positive(
        win_step_um=win_step_um, win_scale_um=win_scale_um, bin_um=bin_um, displacement_max_um=displacement_max_um,
        robust_regression_sigma=robust_regression_sigma, lsqr_robust_n_iter=lsqr_robust_n_iter,
        **({} if time_horizon_s is None else {"time_horizon_s": time_horizon_s}),
    )  # fmt: skip
    from ..kernels.motion.chain import solve_pairs
    from ..kernels.motion.dredge import pair_lags, pair_weights
    from ..kernels.motion.histogram import spatial_windows

    low, n_depths = peaks.contacts_um[0] - 50.0, int(np.ceil((peaks.height_um + 100.0) / bin_um))
    depths = low + bin_um * (np.arange(n_depths) + 0.5)
    centers = window_centers(
        peaks, rigid=rigid, step_um=win_step_um, margin_um=-win_scale_um / 2 if win_margin_um is None else win_margin_um
    )
    if rigid:
        windows = np.full((1, n_depths), 1 / n_depths, np.float32)
    else:
        windows = spatial_windows(depths, centers_um=centers, scale_um=win_scale_um, shape=win_shape)
    longest = peaks.n_times - 1
    reach = longest if time_horizon_s is None else min(longest, max(1, int(time_horizon_s / peaks.bin_s)))
    n_bytes = 8.0 * peaks.n_times * len(windows) * (reach * len(windows) + 1)
    if n_bytes > _BYTES_MAX:
        raise ParameterError(
            f"pairs up to {reach} bins apart in {len(windows)} windows make a system of {n_bytes / 1e9:.1f} GB, "
            f"more than {_BYTES_MAX / 1e9:g}; give a smaller time_horizon_s or a larger win_step_um, or take "
            "method='dredge'"
        )
    raster = _raster(
        peaks, low, bin_um, n_depths, weight_with_amplitude, histogram_depth_smooth_um, histogram_time_smooth_s
    )
    lags = np.arange(1, reach + 1)
    lag_max = max(1, round(displacement_max_um / bin_um))
    compare: Any = partial(_compare, pair_lags, raster, lags, lag_max)
    found = map_in_threads(compare, list(windows))
    lag_um = np.stack([lag for lag, _ in found], axis=-1) * np.float32(bin_um)
    correlation = np.stack([value for _, value in found], axis=-1)
    weight = pair_weights(correlation, lags, mincorr=corr_threshold)
    course = np.zeros((peaks.n_times, len(windows)))
    for _ in range(lsqr_robust_n_iter):
        course = solve_pairs(
            lag_um, weight, lags, time_smoothness=float(temporal_prior), depth_smoothness=float(spatial_prior)
        )
        weight = _without_outliers(lag_um, weight, lags, course, robust_regression_sigma)
    course = course - np.median(course, axis=0)
    known = (raster @ windows.T) > 0
    return Course(course, np.full(course.shape, np.nan), known, centers)


def _raster(
    peaks: ShankPeaks,
    low_um: float,
    bin_um: float,
    n_depths: int,
    with_amplitude: bool,
    depth_smooth_um: float,
    time_smooth_s: float,
) -> NDArray[np.float32]:
    from ..kernels.motion.histogram import depth_raster, gaussian_kernel, smooth_columns, smooth_rows

    _, bins = peaks.bins_of(0, peaks.n_times)
    depth = np.floor((peaks.depth_um - low_um) / bin_um).astype(np.int64)
    weights = peaks.amplitude if with_amplitude else np.ones(len(bins), np.float32)
    raster = depth_raster(bins, depth, weights, peaks.n_times, n_depths)
    raster = smooth_rows(raster, gaussian_kernel(depth_smooth_um / bin_um))
    return np.asarray(smooth_columns(raster, gaussian_kernel(time_smooth_s / peaks.bin_s)))


def _compare(kernel: Any, raster: Any, lags: Any, lag_max: int, window: Any) -> Any:
    return kernel(raster, window, lags, lag_max, 0)


def _without_outliers(
    lag_um: NDArray[np.floating[Any]],
    weight: NDArray[np.float64],
    lags: NDArray[np.int64],
    course: NDArray[np.float64],
    sigma: float,
) -> NDArray[np.float64]:
    """The weights, set to zero for pairs that deviate too much from the solution."""
    misses = np.zeros(weight.shape)
    for k, step in enumerate(lags):
        misses[step:, k] = lag_um[step:, k] - (course[step:] - course[:-step])
    used = weight > 0
    if not used.any():
        return weight
    spread = float(np.sqrt(np.average(misses[used] ** 2, weights=weight[used])))
    return np.where(np.abs(misses) <= sigma * spread, weight, 0.0)
