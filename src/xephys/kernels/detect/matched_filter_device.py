"""Detection with a matched filter on a device: a sum over lags, then one product with all footprints of a depth.

At one sample of a channel, only the best depth can win, so the depths compete there first; then the winners compete as
in `xephys.kernels.detect.peaks_device`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.detect.matched_filter import ECHO_RATIO, check_arguments, unit_norm
from xephys.kernels.detect.peaks_device import beaten_by_neighbors, peak_columns
from xephys.kernels.detect.threshold_scan import PeakSign
from xephys.kernels.lib.dispatch import as_index, resident
from xephys.kernels.lib.records_device import Columns


def detect_matched_filtering(
    xp: Any,
    traces: Any,
    *,
    before: int,
    after: int,
    start: int,
    prototype: NDArray[np.floating[Any]],
    nbefore: int,
    weight_offsets: NDArray[np.int64],
    weight_channels: NDArray[np.int32],
    weights: NDArray[np.float32],
    thresholds: NDArray[np.float64],
    neighbors: NDArray[np.int32],
    peak_sign: PeakSign = "neg",
    exclude_sweep_samples: int,
    echo_neighbors: NDArray[np.int32] | None = None,
) -> Columns:
    """As `xephys.kernels.detect.matched_filter.detect_matched_filtering`; the records stay on the device."""
    check_arguments(before, after, prototype, nbefore, thresholds, peak_sign, exclude_sweep_samples)
    stop = len(traces) - after
    first, last = before - exclude_sweep_samples, stop + exclude_sweep_samples
    n_scores = last - first + 2  # including a neighbor in time on either side
    filtered = xp.zeros((n_scores, traces.shape[1]), dtype=np.float32)
    for lag, tap in enumerate(unit_norm(prototype)):
        begin = first - 1 - nbefore + lag
        filtered += traces[begin : begin + n_scores] * tap
    footprints = resident(xp, footprint_matrices, weight_offsets, weight_channels, weights, n_channels=traces.shape[1])
    limits = resident(xp, _limits, thresholds)
    best = xp.zeros((n_scores - 2, traces.shape[1]), dtype=np.float64)
    best_depth = xp.zeros(best.shape, dtype=np.int64)
    for depth in range(thresholds.shape[1]):
        scores = xp.matmul(filtered, footprints[depth])
        earlier, here, later = scores[:-2], scores[1:-1], scores[2:]
        reached = (here >= limits[depth]) & (here > earlier) & (here >= later)
        if peak_sign == "both":
            reached = reached | ((-here >= limits[depth]) & (here < earlier) & (here <= later))
        ratios = xp.where(reached, abs(here.astype(np.float64)) / limits[depth], 0.0)
        better = ratios > best
        best = xp.where(better, ratios, best)
        best_depth = xp.where(better, depth, best_depth)
    rows, channels = xp.nonzero(best > 0)
    ratios, depths = best[rows, channels], best_depth[rows, channels]
    rows = rows + first
    around = resident(xp, as_index, neighbors)
    keep = ~beaten_by_neighbors(xp, rows, channels, ratios, around, exclude_sweep_samples, len(traces))
    if echo_neighbors is not None:
        around = resident(xp, as_index, echo_neighbors)
        keep &= ~beaten_by_neighbors(
            xp, rows, channels, ratios, around, exclude_sweep_samples, len(traces), margin=ECHO_RATIO
        )
    keep &= (rows >= before) & (rows < stop)
    peaks = peak_columns(xp, traces, rows[keep], channels[keep], start - before)
    return peaks.extended(depth_index=depths[keep])


def footprint_matrices(
    weight_offsets: NDArray[np.int64],
    weight_channels: NDArray[np.int32],
    weights: NDArray[np.float32],
    *,
    n_channels: int,
) -> NDArray[np.float32]:
    """The sparse rows as full matrices (depth, seen channel, channel of the score).

    Examples
    --------
    >>> footprint_matrices(np.array([0, 2, 3]), np.array([0, 1, 1]), np.array([0.8, 0.6, 1.0]), n_channels=2).tolist()
    [[[0.800000011920929, 0.0], [0.6000000238418579, 1.0]]]
    """
    n_depths = (weight_offsets.size - 1) // n_channels
    row = np.repeat(np.arange(weight_offsets.size - 1), np.diff(weight_offsets))
    matrices = np.zeros((n_depths, n_channels, n_channels), np.float32)
    matrices[row % n_depths, weight_channels, row // n_depths] = weights
    return matrices


def _limits(thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Thresholds (depth, channel); infinite for excluded scores."""
    return np.ascontiguousarray(np.where(np.isnan(thresholds), np.inf, thresholds).T)
