"""Kilosort 2.5's registration with smooth windows: shifts by whole bins for the shank, finer ones for each window."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..checks import check_choice, check_positive
from .alignment import Prints, align_to_mean, amplitude_levels, scores_of
from .shank_peaks import Course, ShankPeaks
from .windows import window_centers

#: Step of the fine shifts, as a fraction of a bin.
_FINE_STEP = 0.02


def estimate_by_iterative_template(
    peaks: ShankPeaks,
    *,
    rigid: bool = False,
    win_shape: str = "gaussian",
    win_step_um: float = 50.0,
    win_scale_um: float = 150.0,
    win_margin_um: float | None = None,
    bin_um: float = 10.0,
    hist_margin_um: float = 0.0,
    num_amp_bins: int = 20,
    num_shifts_global: int = 15,
    num_iterations: int = 10,
    num_shifts_block: int = 5,
    smoothing_sigma: float = 0.5,
    kriging_sigma: float = 1.0,
    kriging_p: float = 2.0,
    kriging_d: float = 2.0,
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
    bin_um, hist_margin_um
        Width of a bin of depth, and how far the bins reach beyond the contacts.
    num_amp_bins
        Number of levels of amplitude.
    num_shifts_global, num_iterations
        Maximum shift per round, in bins, and number of rounds.
    num_shifts_block
        Maximum additional shift of a window, in bins.
    smoothing_sigma
        Standard deviation with which scores are smoothed over shifts, bins and windows.
    kriging_sigma, kriging_p, kriging_d
        Scores between whole bins are interpolated with the kernel ``exp(-(distance / kriging_sigma)**kriging_p /
        kriging_d)``.

    Raises
    ------
    ParameterError
        If a number is outside its limits.
    """
    from scipy.ndimage import gaussian_filter

    from ..kernels.motion.histogram import spatial_windows

    check_choice("win_shape", win_shape, ("gaussian", "triangle", "rect"))
    check_positive(
        win_step_um=win_step_um, win_scale_um=win_scale_um, bin_um=bin_um, num_amp_bins=num_amp_bins,
        num_shifts_global=num_shifts_global, num_iterations=num_iterations, num_shifts_block=num_shifts_block,
        kriging_sigma=kriging_sigma, kriging_p=kriging_p, kriging_d=kriging_d,
    )  # fmt: skip
    low, high = np.quantile(peaks.amplitude, [0.01, 0.99])
    prints = Prints(
        peaks=peaks,
        level=amplitude_levels(peaks.amplitude, num_amp_bins, (float(low), float(high))),
        n_levels=num_amp_bins,
        low_um=peaks.contacts_um[0] - hist_margin_um,
        bin_um=bin_um,
        n_depths=max(1, int(np.ceil((peaks.height_um + 2 * hist_margin_um) / bin_um))),
        circular=False,
    )
    applied, reference = align_to_mean(prints, n_rounds=num_iterations, shift_max=num_shifts_global)
    centers = window_centers(
        peaks, rigid=rigid, step_um=win_step_um, margin_um=-win_scale_um / 2 if win_margin_um is None else win_margin_um
    )
    if rigid:
        windows = np.ones((1, prints.n_depths), np.float32)
    else:
        windows = spatial_windows(prints.depth_um, centers_um=centers, scale_um=win_scale_um, shape=win_shape)
    scores = scores_of(prints, reference, applied, list(windows), num_shifts_block)
    smoothed = gaussian_filter(scores, smoothing_sigma)
    fine = _finest(smoothed, num_shifts_block, kriging_sigma, kriging_p, kriging_d)
    displacement = -(applied[:, None] + fine) * bin_um
    displacement = displacement - np.median(displacement, axis=0)
    known = np.broadcast_to((np.diff(peaks.offsets) > 0)[:, None], displacement.shape)
    return Course(displacement, np.full(displacement.shape, np.nan), known, centers)


def _finest(scores: NDArray[np.float32], shift_max: int, sigma: float, p: float, d: float) -> NDArray[np.float64]:
    """Shift of the highest score, ``(time, window)``, from scores ``(time, shift, window)``."""
    coarse = np.arange(-shift_max, shift_max + 1.0)
    fine = np.arange(-shift_max, shift_max + _FINE_STEP / 2, _FINE_STEP)

    def alike(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.exp(-((np.abs(a[:, None] - b[None]) / sigma) ** p) / d))

    kernel = alike(fine, coarse) @ np.linalg.inv(alike(coarse, coarse) + 0.01 * np.eye(len(coarse)))
    return np.asarray(fine[np.einsum("fs,tsb->ftb", kernel, scores).argmax(axis=0)])
