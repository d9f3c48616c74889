"""Kilosort 4's registration: shifts by whole bins for the shank, then finer ones for blocks of depth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..checks import check_positive
from ..errors import ParameterError
from .alignment import Prints, align_to_mean, amplitude_levels, scores_of
from .shank_peaks import Course, ShankPeaks

_N_LEVELS = 20
#: Number of rounds of the alignment, and maximum shift per round, in bins.
_N_ROUNDS, _SHIFT_MAX = 9, 15
#: Maximum additional shift of a block, in bins, and number of steps per bin.
_MAX_BLOCK_SHIFT, _STEPS_PER_BIN = 5, 10


def estimate_by_kilosort(
    peaks: ShankPeaks,
    *,
    nblocks: int = 1,
    binning_depth: float = 5.0,
    drift_smoothing: tuple[float, float, float] = (0.5, 0.5, 0.5),
    amplitude_limits: tuple[float, float] | None = None,
) -> Course:
    """Motion of one shank. The first three parameters have Kilosort's names; ``bin_s`` is the length of its batch.

    Parameters
    ----------
    peaks
        Peaks of one shank. Kilosort pools all shanks; here each shank has its own motion.
    nblocks
        The shank is cut into ``2 * nblocks - 1`` blocks that overlap by half; with one, motion is rigid.
    binning_depth
        Width of a bin of depth, in µm. Each round finds shifts of up to 15 bins.
    drift_smoothing
        Standard deviations with which the scores of the blocks are smoothed over shifts, batches and blocks.
    amplitude_limits
        Smallest and largest of the 20 levels of amplitude; the first and 99th percentiles if None.

    Raises
    ------
    ParameterError
        If a number is outside its limits.
    """
    from scipy.ndimage import gaussian_filter

    check_positive(nblocks=nblocks, binning_depth=binning_depth)
    if len(drift_smoothing) != 3 or min(drift_smoothing) < 0:
        raise ParameterError(f"drift_smoothing is {drift_smoothing!r}; give three numbers that are not negative")
    limits = amplitude_limits or tuple(np.quantile(peaks.amplitude, [0.01, 0.99]))
    n_depths = 1 + int(np.ceil((peaks.height_um + 1.0) / binning_depth))
    if nblocks > n_depths:
        raise ParameterError(f"nblocks is {nblocks} for {n_depths} bins of depth; give fewer blocks")
    prints = Prints(
        peaks=peaks,
        level=amplitude_levels(peaks.amplitude, _N_LEVELS, (float(limits[0]), float(limits[1]))),
        n_levels=_N_LEVELS,
        low_um=peaks.contacts_um[0] - 1.0,
        bin_um=binning_depth,
        n_depths=n_depths,
        circular=True,
    )
    applied, reference = align_to_mean(prints, n_rounds=_N_ROUNDS, shift_max=_SHIFT_MAX)
    starts = np.round(np.linspace(0, n_depths - n_depths // nblocks, 2 * nblocks - 1)).astype(int)
    blocks = [_block(start, n_depths // nblocks, n_depths) for start in starts]
    scores = scores_of(prints, reference, applied, blocks, _MAX_BLOCK_SHIFT)
    smoothed = gaussian_filter(scores.transpose(1, 0, 2), drift_smoothing)
    fine = _finest(smoothed)
    # A bin that must be moved up to match has tissue that is too low.
    displacement = -(applied[:, None] + fine) * binning_depth
    centers = np.array([prints.depth_um[block > 0].mean() for block in blocks])
    counts = _counts(prints, blocks)
    displacement = displacement - np.median(displacement, axis=0)
    return Course(displacement, np.full(displacement.shape, np.nan), counts > 0, centers)


def _block(start: int, size: int, n_depths: int) -> NDArray[np.float32]:
    weights = np.zeros(n_depths, np.float32)
    weights[start : start + size] = 1.0
    return weights


def _finest(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Shift of the highest score in tenths of a bin, ``(time, block)``, from scores ``(shift, time, block)``."""
    coarse = np.arange(-_MAX_BLOCK_SHIFT, _MAX_BLOCK_SHIFT + 1)
    fine = np.linspace(coarse[0], coarse[-1], (len(coarse) - 1) * _STEPS_PER_BIN + 1)
    kernel = np.exp(-0.5 * (fine[:, None] - coarse[None]) ** 2)
    return np.asarray(fine[np.einsum("fs,stb->ftb", kernel, scores).argmax(axis=0)])


def _counts(prints: Prints, blocks: list[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Peaks of each bin in each block."""
    peaks = prints.peaks
    _, bins = peaks.bins_of(0, peaks.n_times)
    depth = np.floor((peaks.depth_um - prints.low_um) / prints.bin_um).astype(np.int64)
    inside = (depth >= 0) & (depth < prints.n_depths)
    table = np.stack([block[depth[inside]] for block in blocks], axis=-1)
    return np.stack([np.bincount(bins[inside], weights=column, minlength=peaks.n_times) for column in table.T], axis=-1)
