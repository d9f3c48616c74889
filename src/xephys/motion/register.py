"""The last step of an estimate: every peak against the density of the registered peaks of other time bins."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..graph.local import map_in_threads
from .shank_peaks import ShankPeaks

#: Standard deviations with which the density is smoothed along depth, one repetition after the other.
_SHARPNESS_UM = (6.0, 4.0, 4.0)
_LEVEL_KERNEL = np.array([0.2, 0.6, 0.2])
#: Levels of amplitude, evenly spaced in its logarithm.
_N_LEVELS = 12
_BIN_UM = 1.0
_MARGIN_UM = 120.0
#: Time bins whose peaks are compared with the same density.
_BLOCK_BINS = 256
#: Repetitions in which the size of the steps is learned.
_N_LEARN = 4
#: Degrees of freedom of the distribution of steps: with few, a single large one is not smoothed away.
_STEP_DOF = 4.0
#: Steps of neighbouring depths are this alike however far apart, and more so the nearer.
_COMMON, _COMMON_REACH_UM = 0.5, 1000.0
#: No step is taken to be smaller than this.
_STEP_MIN_UM = 0.02
#: A cell is known where the peaks within so many bins tell its displacement to within so many µm.
_KNOWN_BINS, _KNOWN_UM = 5, 5.0


class _Block(NamedTuple):
    start: int
    stop: int
    density: NDArray[np.float32]


def register_to_density(
    peaks: ShankPeaks, start: NDArray[np.float64], knots_um: NDArray[np.float64], *, horizon_bins: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Improve displacements that are right to within a few µm.

    Parameters
    ----------
    peaks
        Of one shank.
    start
        Displacements ``(time, knot)``.
    knots_um
        Depths between which displacement is linear.
    horizon_bins
        Peaks farther away in time than about half of this are not compared.

    Returns
    -------
    displacement_um, uncertainty_um, known
        ``(time, knot)``; at each depth the median displacement is 0.
    """
    level = _levels(peaks)
    alike = _COMMON + (1 - _COMMON) * np.exp(-np.abs(knots_um[:, None] - knots_um[None]) / _COMMON_REACH_UM)
    course = start
    step = max(float(np.median(np.abs(np.diff(course, axis=0)))), 0.1)
    covariance = 2 * step**2 * alike
    weight = np.ones(peaks.n_times)
    variance = np.full(start.shape, np.inf)
    information = np.zeros((*start.shape, 2))
    for sharpness_um in _SHARPNESS_UM:
        slope, information = _pulls(peaks, level, course, knots_um, sharpness_um, horizon_bins)
        moved, variance, covariance, weight = _smooth(slope, information, course, covariance, weight, alike)
        course = course + np.clip(moved - course, -2 * sharpness_um, 2 * sharpness_um)
    known = _known(information[..., 0])
    return course - _middle(course, known), np.sqrt(variance), known


def _smooth(
    slope: NDArray[np.float64],
    information: NDArray[np.float64],
    course: NDArray[np.float64],
    covariance: NDArray[np.float64],
    weight: NDArray[np.float64],
    alike: NDArray[np.float64],
) -> tuple[NDArray[np.float64], ...]:
    """The most probable course, with the covariance of its steps and the weight of each learned on the way."""
    from ..kernels.motion.smoother import smooth_walk

    n_times, n_knots = slope.shape
    # A prior of so many steps, alike at all depths, of the mean size found.
    n_prior = 10 + 2 * n_knots
    moved, variance = course, np.zeros_like(course)
    for _ in range(_N_LEARN):
        moved, variance, size, moment = smooth_walk(slope, information, course, np.linalg.inv(covariance), weight)
        weight = (_STEP_DOF + n_knots) / (_STEP_DOF + size)
        mean = float(np.trace(moment)) / n_knots / (n_times - 1)
        covariance = (moment + n_prior * mean * alike) / (n_times - 1 + n_prior)
        covariance = covariance + _STEP_MIN_UM**2 * np.eye(n_knots)
    return moved, variance, covariance, weight


def _levels(peaks: ShankPeaks) -> NDArray[np.int64]:
    """Level of amplitude of each peak; the first and the last one hold a hundredth beyond them."""
    size = np.log(peaks.amplitude)
    if len(size) == 0:
        return np.zeros(0, np.int64)
    low, high = np.quantile(size, [0.01, 0.99])
    if high <= low:
        return np.zeros(len(size), np.int64)
    return np.clip(((size - low) / (high - low) * _N_LEVELS).astype(np.int64), 0, _N_LEVELS - 1)


def _pulls(
    peaks: ShankPeaks,
    level: NDArray[np.int64],
    course: NDArray[np.float64],
    knots_um: NDArray[np.float64],
    sharpness_um: float,
    horizon_bins: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Slope and information of all bins, a block of bins at a time."""
    from ..kernels.motion.histogram import gaussian_kernel

    kernel = gaussian_kernel(sharpness_um / _BIN_UM)
    starts = range(0, peaks.n_times, _BLOCK_BINS)
    spans = [(start, min(start + _BLOCK_BINS, peaks.n_times)) for start in starts]
    counts = map_in_threads(partial(_counts, peaks, level, course, knots_um), spans)
    reach = max(1, round(horizon_bins / 2 / _BLOCK_BINS))
    blocks = [
        _Block(*span, np.sum(counts[max(0, i - reach) : i + reach + 1], axis=0, dtype=np.float32))
        for i, span in enumerate(spans)
    ]
    found = map_in_threads(partial(_pull_of_block, peaks, level, course, knots_um, kernel), blocks)
    return np.concatenate([slope for slope, _ in found]), np.concatenate([value for _, value in found])


def _counts(
    peaks: ShankPeaks,
    level: NDArray[np.int64],
    course: NDArray[np.float64],
    knots_um: NDArray[np.float64],
    span: tuple[int, int],
) -> NDArray[np.float32]:
    from ..kernels.motion.density import registered_counts

    own, depth, displacement = _registered(peaks, course, knots_um, *span)
    low, n_depths = _extent(peaks)
    counts: NDArray[np.float32] = registered_counts(depth, level[own], displacement, low, _BIN_UM, n_depths, _N_LEVELS)
    return counts


def _pull_of_block(
    peaks: ShankPeaks,
    level: NDArray[np.int64],
    course: NDArray[np.float64],
    knots_um: NDArray[np.float64],
    kernel: NDArray[np.float64],
    block: _Block,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from ..kernels.motion.density import pulls
    from ..kernels.motion.histogram import smooth_columns, smooth_rows

    own, depth, displacement = _registered(peaks, course, knots_um, block.start, block.stop)
    density = smooth_columns(smooth_rows(block.density, kernel), _LEVEL_KERNEL)
    n_times = block.stop - block.start
    slope, information = np.zeros((n_times, len(knots_um))), np.zeros((n_times, len(knots_um), 2))
    offsets = peaks.offsets[block.start : block.stop + 1] - peaks.offsets[block.start]
    low, _ = _extent(peaks)
    pulls(
        offsets, depth, level[own], displacement, knots_um, density, kernel, _LEVEL_KERNEL, low, _BIN_UM, slope,
        information,
    )  # fmt: skip
    return slope, information


def _registered(
    peaks: ShankPeaks, course: NDArray[np.float64], knots_um: NDArray[np.float64], start: int, stop: int
) -> tuple[slice, NDArray[np.float64], NDArray[np.float64]]:
    """Some bins' peaks, the depths at which they were seen, and the displacement there."""
    from ..kernels.motion.interpolate import displacement_at

    own, bins = peaks.bins_of(start, stop)
    depth = peaks.depth_um[own].astype(np.float64)
    times = np.arange(stop - start) + 0.5
    everywhere = np.zeros(len(bins), np.int64)
    displacement = displacement_at(course[None, start:stop], times, knots_um, everywhere, bins + 0.5, depth, False)
    return own, depth, displacement


def _extent(peaks: ShankPeaks) -> tuple[float, int]:
    return peaks.contacts_um[0] - _MARGIN_UM, int(np.ceil((peaks.height_um + 2 * _MARGIN_UM) / _BIN_UM))


def _known(information: NDArray[np.float64]) -> NDArray[np.bool_]:
    sums = np.cumsum(np.pad(information, ((_KNOWN_BINS + 1, _KNOWN_BINS), (0, 0))), axis=0)
    width = 2 * _KNOWN_BINS + 1
    return np.asarray(sums[width:] - sums[:-width] >= 1 / _KNOWN_UM**2)


def _middle(course: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Median of the known displacements at each depth, of all where none is known."""
    counted = np.where(known.any(axis=0), np.where(known, course, np.nan), course)
    return np.asarray(np.nanmedian(counted, axis=0))
