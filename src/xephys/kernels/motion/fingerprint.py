"""Fingerprints of time bins (counts of peaks by depth and amplitude), and how they match a reference at each shift.

The idea of the registration of Kilosort 2.5 to 4 (Pachitariu, Sridhar, Pennington & Stringer 2024, Nature Methods
21:914): whole bins of depth are tried one after the other, against the mean of the bins aligned so far.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import zeros
from xephys.kernels.lib.inner import kernel


@kernel
def fingerprints(
    offsets: NDArray[np.int64],
    depth_bin: NDArray[np.int64],
    level: NDArray[np.integer],
    n_depths: int,
    n_levels: int,
) -> NDArray[np.float32]:
    """Base-2 logarithm of one plus the counts, minus its mean over depth, ``(time, depth, level)``.

    Parameters
    ----------
    offsets
        First peak of each time bin, ``(time + 1,)``.
    depth_bin, level
        Depth bin and level of each peak; peaks beyond the bins are left out.
    n_depths, n_levels
        Numbers of bins.
    """
    n_times = len(offsets) - 1
    out = zeros((n_times, n_depths, n_levels), np.float32)
    for t in range(n_times):
        for i in range(offsets[t], offsets[t + 1]):
            if 0 <= depth_bin[i] < n_depths:
                out[t, depth_bin[i], level[i]] += 1.0
        for k in range(n_levels):
            total = 0.0
            for z in range(n_depths):
                out[t, z, k] = np.log2(1.0 + out[t, z, k])
                total += out[t, z, k]
            for z in range(n_depths):
                out[t, z, k] -= total / n_depths
    return out


@kernel
def shift_scores(
    prints: NDArray[np.float32],
    reference: NDArray[np.float32],
    applied: NDArray[np.int64],
    window: NDArray[np.float32],
    shift_max: int,
    circular: bool,
) -> NDArray[np.float32]:
    """Mean product of each fingerprint, shifted up by each shift, with the reference, ``(time, shift)``.

    Parameters
    ----------
    prints
        ``(time, depth, level)``.
    reference
        ``(depth, level)``.
    applied
        Shift that each fingerprint already has, which is added to those tried.
    window
        Weight of each depth of the reference.
    shift_max
        Shifts from minus this to this are tried, in bins.
    circular
        Whether what leaves at one end enters at the other; otherwise nothing enters.
    """
    n_times, n_depths, n_levels = prints.shape
    scores = zeros((n_times, 2 * shift_max + 1), np.float32)
    for t in range(n_times):
        for m in range(2 * shift_max + 1):
            shift = applied[t] + m - shift_max
            total = 0.0
            for z in range(n_depths):
                source = z - shift
                if circular:
                    source %= n_depths
                if window[z] == 0.0 or not 0 <= source < n_depths:
                    continue
                for k in range(n_levels):
                    total += window[z] * reference[z, k] * prints[t, source, k]
            scores[t, m] = total / (n_depths * n_levels)
    return scores


@kernel
def aligned_sum(prints: NDArray[np.float32], applied: NDArray[np.int64], circular: bool) -> NDArray[np.float64]:
    """Sum of the fingerprints, each shifted up by its shift, ``(depth, level)``."""
    n_times, n_depths, n_levels = prints.shape
    total = zeros((n_depths, n_levels))
    for t in range(n_times):
        for z in range(n_depths):
            source = z - applied[t]
            if circular:
                source %= n_depths
            if 0 <= source < n_depths:
                for k in range(n_levels):
                    total[z, k] += prints[t, source, k]
    return total
