"""The last step of an estimate: every peak against the density of the registered peaks of other time bins.

Not all peaks move with the tissue: noise that crosses the threshold stays at the contacts, whatever the tissue does.
The probability of each peak to move follows from two densities, one over registered depth and one over the depth seen,
which are both computed with these probabilities.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..graph.local import map_in_threads
from ..kernels.lib.constants import MAD_OF_NORMAL
from .alignment import amplitude_levels
from .shank_peaks import ShankPeaks

#: Standard deviations with which the densities are smoothed along depth, in consecutive repetitions.
_SHARPNESS_UM = (5.0, 3.0, 2.0, 2.0)
#: Number of updates of the probabilities to move in each repetition.
_N_SHARES = 3
#: Initial share of the peaks that move with the tissue.
_MOVING = 0.95
_LEVEL_KERNEL = np.array([0.2, 0.6, 0.2])
_N_LEVELS = 12
_BIN_UM = 1.0
#: Distance by which the densities extend beyond the contacts.
_MARGIN_UM = 120.0
#: Number of time bins whose peaks are compared with the same densities.
_BLOCK_BINS = 256
#: Densities hold the peaks within this many horizons on either side. A unit is localized wrongly by an amount that
#: depends on where it is between two contacts, which averages out only over displacements.
_HORIZONS = 2
#: Number of repetitions in which the size of the steps is learned.
_N_LEARN = 6
#: A step smaller than assumed is extrapolated by this power of the ratio, except in the last repetition.
_HASTE = 4
#: Degrees of freedom of the distribution of steps: with few, a single large one is not smoothed away.
_STEP_DOF = 4.0
#: Distance over which steps at different depths are similar, and the share of their variance that is independent.
_ALIKE_UM, _UNALIKE = 1000.0, 1e-3
#: Number of bins of the parabola that fast movement is expected to follow. It begins to contribute if a typical step is
#: this many times the error of a bin, and contributes fully at the second number.
_TREND_BINS, _TREND_FROM, _TREND_FULL = 9, 1.5, 3.0
#: Information (1/µm²) about bins that are fixed.
_FIXED = 1e6
#: Lower limit of the size of a step.
_STEP_MIN_UM = 0.02
#: A cell is known if the peaks within this number of bins determine its displacement to within this number of µm.
_KNOWN_BINS, _KNOWN_UM = 5, 5.0


class _State(NamedTuple):
    """Peaks, and the current estimates for them."""

    peaks: ShankPeaks
    level: NDArray[np.uint8]
    knots_um: NDArray[np.float64]
    share: NDArray[np.float32]
    kernel: NDArray[np.float64]
    displacement_um: NDArray[np.float64]


class _Block(NamedTuple):
    """Time bins, and the densities ``(level, depth)`` of moving and resting peaks with which theirs are compared."""

    start: int
    stop: int
    density: NDArray[np.float32]
    resting: NDArray[np.float32]


def register_to_density(
    peaks: ShankPeaks,
    start: NDArray[np.float64],
    knots_um: NDArray[np.float64],
    *,
    horizon_bins: int,
    fixed: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Improve displacements that are correct to within a few µm.

    Parameters
    ----------
    peaks
        Peaks of one shank.
    start
        Displacements ``(time, knot)``.
    knots_um
        Depths at which displacement is estimated; it is linear in between.
    horizon_bins
        Peaks farther apart in time than about twice this are not compared.
    fixed
        Displacements of the first bins, which are kept.

    Returns
    -------
    displacement_um, uncertainty_um, known
        ``(time, knot)``; at each depth the median displacement is 0, unless the first bins are fixed.
    """
    from ..kernels.motion.histogram import gaussian_kernel

    low, high = np.quantile(peaks.amplitude, [0.01, 0.99])
    level = amplitude_levels(peaks.amplitude, _N_LEVELS, (float(low), float(high)))
    alike = np.exp(-0.5 * ((knots_um[:, None] - knots_um[None]) / _ALIKE_UM) ** 2) + _UNALIKE * np.eye(len(knots_um))
    n_fixed = 0 if fixed is None else len(fixed)
    course, share = start.copy(), np.full(len(peaks.depth_um), _MOVING, np.float32)
    step = max(float(np.median(np.abs(np.diff(course, axis=0)))), 0.1)
    covariance, weight = 2 * step**2 * alike, np.ones(peaks.n_times)
    variance, information = np.full(start.shape, np.inf), np.zeros((*start.shape, 2))
    for sharpness_um in _SHARPNESS_UM:
        displacement_um = _displacements(peaks, course, knots_um)
        state = _State(peaks, level, knots_um, share, gaussian_kernel(sharpness_um / _BIN_UM), displacement_um)
        for _ in range(_N_SHARES):
            found = map_in_threads(partial(_shares_of_block, state), _blocks(state, horizon_bins))
            state = state._replace(share=np.concatenate(found))
        share = state.share
        pulled = map_in_threads(partial(_pull_of_block, state), _blocks(state, horizon_bins))
        slope, information = (np.concatenate(part) for part in zip(*pulled, strict=True))
        if fixed is not None:
            course[:n_fixed] = fixed
            slope[:n_fixed], information[:n_fixed] = 0.0, [_FIXED, 0.0]
        trend = _trend(course, information[n_fixed:])
        moved, variance, covariance, weight = _smooth(slope, information, course - trend, covariance, weight, alike)
        moved = moved + trend
        course = course + np.clip(moved - course, -2 * sharpness_um, 2 * sharpness_um)
    known = _known(information[..., 0])
    if fixed is not None:
        course[:n_fixed] = fixed
        return course, np.sqrt(variance), known
    return course - _middle(course, known), np.sqrt(variance), known


def _trend(course: NDArray[np.float64], information: NDArray[np.float64]) -> NDArray[np.float64]:
    """Prior for a course that changes faster than single bins show: it continues smoothly.

    If a typical step is much larger than the error of a single bin, a random walk hardly smooths; steps are then
    measured from a parabola through the neighboring bins. Slower movement is better smoothed as a walk.
    """
    if len(course) < _TREND_BINS:
        return np.zeros_like(course)
    step = float(np.median(np.abs(np.diff(course.mean(axis=1))))) / MAD_OF_NORMAL
    known = information[..., 0].sum(axis=1) + 2 * information[..., 1].sum(axis=1)
    error = 1 / np.sqrt(max(float(np.median(known)), 1e-9))
    share = np.clip((step / error - _TREND_FROM) / (_TREND_FULL - _TREND_FROM), 0, 1)
    if share == 0:
        return np.zeros_like(course)
    from scipy.signal import savgol_filter

    return np.asarray(share * savgol_filter(course, _TREND_BINS, 2, axis=0, mode="nearest"))


def _smooth(
    slope: NDArray[np.float64],
    information: NDArray[np.float64],
    course: NDArray[np.float64],
    covariance: NDArray[np.float64],
    weight: NDArray[np.float64],
    alike: NDArray[np.float64],
) -> tuple[NDArray[np.float64], ...]:
    """The most probable course, learning the size of its steps and the weight of each."""
    from ..kernels.motion.smoother import smooth_walk

    n_times, n_knots = slope.shape
    moved, variance = course, np.zeros_like(course)
    # Tissue moves as a whole, is stretched, or is bent: the patterns of a smooth step, the largest last.
    expected, patterns = np.linalg.eigh(alike)
    for repetition in range(_N_LEARN):
        moved, variance, size, moment = smooth_walk(slope, information, course, np.linalg.inv(covariance), weight)
        weight = (_STEP_DOF + n_knots) / (_STEP_DOF + size)
        found = np.einsum("km,kl,lm->m", patterns, moment, patterns) / (n_times - 1)
        if repetition + 1 < _N_LEARN:
            # Absence of movement is found by ever smaller repetitions; extrapolation takes many of them at once.
            believed = np.einsum("km,kl,lm->m", patterns, covariance, patterns)
            found = np.where(found < believed, found * (found / believed) ** _HASTE, found)
        # Relative to the strongest pattern, no other is stronger than smoothness allows.
        strength = np.minimum(found, found[-1] * expected / expected[-1]) + _STEP_MIN_UM**2 * expected
        covariance = (patterns * strength) @ patterns.T
    return moved, variance, covariance, weight


def _spans(n_times: int) -> list[tuple[int, int]]:
    """First and last bin of each block."""
    return [(start, min(start + _BLOCK_BINS, n_times)) for start in range(0, n_times, _BLOCK_BINS)]


def _blocks(state: _State, horizon_bins: int) -> list[_Block]:
    """All bins in blocks, each with the counts of the surrounding blocks."""
    spans = _spans(state.peaks.n_times)
    counts = map_in_threads(partial(_counts, state), spans)
    reach = max(1, round(_HORIZONS * horizon_bins / _BLOCK_BINS))
    sums = [np.sum(counts[max(0, i - reach) : i + reach + 1], axis=0, dtype=np.float32) for i in range(len(spans))]
    return [_Block(*span, moves, rests) for span, (moves, rests) in zip(spans, sums, strict=True)]


def _counts(state: _State, span: tuple[int, int]) -> NDArray[np.float32]:
    """Counts of moving and of resting peaks."""
    from ..kernels.motion.density import registered_counts

    own, depth, displacement = _registered(state, *span)
    level, share, grid = state.level[own], state.share[own], _extent(state.peaks)
    return np.stack(
        [
            registered_counts(depth, level, displacement, share, *grid, _N_LEVELS),
            registered_counts(depth, level, np.zeros_like(displacement), 1 - share, *grid, _N_LEVELS),
        ]
    )


def _smoothed(state: _State, block: _Block) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    from ..kernels.motion.histogram import smooth_columns, smooth_rows

    density, resting = (
        smooth_columns(smooth_rows(counts, state.kernel), _LEVEL_KERNEL) for counts in (block.density, block.resting)
    )
    return density, resting


def _shares_of_block(state: _State, block: _Block) -> NDArray[np.float32]:
    from ..kernels.motion.density import moving_shares

    own, depth, displacement = _registered(state, block.start, block.stop)
    low, width, _ = _extent(state.peaks)
    single = float(state.kernel.max() * _LEVEL_KERNEL.max())
    share: NDArray[np.float32] = moving_shares(
        depth, state.level[own], displacement, *_smoothed(state, block), single, low, width
    )
    return share


def _pull_of_block(state: _State, block: _Block) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from ..kernels.motion.density import pulls

    own, depth, displacement = _registered(state, block.start, block.stop)
    offsets = state.peaks.offsets[block.start : block.stop + 1]
    shape = (block.stop - block.start, len(state.knots_um))
    slope, information = np.zeros(shape), np.zeros((*shape, 2))
    low, width, _ = _extent(state.peaks)
    pulls(
        offsets - offsets[0], depth, state.level[own], displacement, state.share[own], state.knots_um,
        *_smoothed(state, block), state.kernel, _LEVEL_KERNEL, low, width, slope, information,
    )  # fmt: skip
    return slope, information


def _registered(state: _State, start: int, stop: int) -> tuple[slice, NDArray[np.float64], NDArray[np.float64]]:
    """Peaks of some bins, the depths at which they were seen, and the displacement there."""
    own = slice(int(state.peaks.offsets[start]), int(state.peaks.offsets[stop]))
    return own, state.peaks.depth_um[own].astype(np.float64), state.displacement_um[own]


def _displacements(
    peaks: ShankPeaks, course: NDArray[np.float64], knots_um: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Displacement of every peak, at the depth at which it was seen."""
    from ..kernels.motion.interpolate import displacement_at

    def of_block(span: tuple[int, int]) -> NDArray[np.float64]:
        start, stop = span
        own, bins = peaks.bins_of(start, stop)
        times, alone = np.arange(stop - start) + 0.5, np.zeros(len(bins), np.int64)
        cells, depth = np.ascontiguousarray(course[None, start:stop]), peaks.depth_um[own].astype(np.float64)
        found: NDArray[np.float64] = displacement_at(cells, times, knots_um, alone, bins + 0.5, depth, False)
        return found

    return np.concatenate(map_in_threads(of_block, _spans(peaks.n_times)))


def _extent(peaks: ShankPeaks) -> tuple[float, float, int]:
    """Lower end of the densities, width of a bin, and number of bins."""
    return peaks.contacts_um[0] - _MARGIN_UM, _BIN_UM, int(np.ceil((peaks.height_um + 2 * _MARGIN_UM) / _BIN_UM))


def _known(information: NDArray[np.float64]) -> NDArray[np.bool_]:
    sums = np.cumsum(np.pad(information, ((_KNOWN_BINS + 1, _KNOWN_BINS), (0, 0))), axis=0)
    width = 2 * _KNOWN_BINS + 1
    return np.asarray(sums[width:] - sums[:-width] >= 1 / _KNOWN_UM**2)


def _middle(course: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Median of the known displacements at each depth, or of all if none is known."""
    counted = np.where(known.any(axis=0), np.where(known, course, np.nan), course)
    return np.asarray(np.nanmedian(counted, axis=0))
