"""Threshold detection on a device: all samples are compared at once, then candidates compete in sorted runs.

The rule is that of `xephys.kernels.detect.peaks`, including ties. It does not depend on the order of visits, so it is
the same in
parallel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.detect.peaks import check_halo
from xephys.kernels.detect.threshold_scan import PeakSign, scan_limits
from xephys.kernels.lib.cuda import has_cuda_kernels
from xephys.kernels.lib.dispatch import as_index, resident
from xephys.kernels.lib.records_device import Columns


def detect_locally_exclusive(
    xp: Any,
    traces: Any,
    *,
    before: int,
    after: int,
    start: int,
    thresholds: NDArray[np.floating[Any]],
    neighbors: NDArray[np.int32],
    peak_sign: PeakSign = "neg",
    exclude_sweep_samples: int,
    good: NDArray[np.bool_] | None = None,
) -> Columns:
    """As `xephys.kernels.detect.peaks.detect_locally_exclusive`; the records stay on the device."""
    stop = check_halo(traces, before, after, exclude_sweep_samples)
    low, high = resident(xp, _limits, thresholds, good, peak_sign=peak_sign, strict=False, channels=traces.shape[1])
    own, around = resident(xp, _float64, thresholds), resident(xp, as_index, neighbors)
    if has_cuda_kernels(xp):
        from xephys.kernels.detect.peaks_cuda import locally_exclusive_peaks

        rows, channels = locally_exclusive_peaks(
            xp, traces, low=low, high=high, thresholds=own, neighbors=around, sweep=exclude_sweep_samples,
            before=before, n=stop - before,
        )  # fmt: skip
        return peak_columns(xp, traces, rows, channels, start - before)
    first, last = before - exclude_sweep_samples, stop + exclude_sweep_samples
    rows, channels = _extrema(xp, traces, first, last, low, high)
    ratios = abs(traces[rows, channels].astype(np.float64)) / own[channels]
    keep = ~beaten_by_neighbors(xp, rows, channels, ratios, around, exclude_sweep_samples, len(traces))
    keep &= (rows >= before) & (rows < stop)
    return peak_columns(xp, traces, rows[keep], channels[keep], start - before)


def detect_by_channel(
    xp: Any,
    traces: Any,
    *,
    before: int,
    after: int,
    start: int,
    thresholds: NDArray[np.floating[Any]],
    peak_sign: PeakSign = "neg",
    exclude_sweep_samples: int,
    good: NDArray[np.bool_] | None = None,
) -> Columns:
    """As `xephys.kernels.detect.peaks.detect_by_channel`; the records stay on the device."""
    stop = check_halo(traces, before, after, exclude_sweep_samples)
    low, high = resident(xp, _limits, thresholds, good, peak_sign=peak_sign, strict=True, channels=traces.shape[1])
    rows, channels = _extrema(xp, traces, before, stop, low, high)
    values = traces[rows, channels]
    sign = xp.where(values < 0, np.float32(-1), np.float32(1))
    keep = xp.ones(rows.shape, dtype=bool)
    for lag in range(1, exclude_sweep_samples + 1):
        keep &= sign * values > sign * traces[rows - lag, channels]
        keep &= sign * values >= sign * traces[rows + lag, channels]
    return peak_columns(xp, traces, rows[keep], channels[keep], start - before)


def _limits(
    thresholds: NDArray[Any], mask: NDArray[np.bool_] | None, *, peak_sign: PeakSign, strict: bool, channels: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return scan_limits(np.empty((0, channels), np.float32), thresholds, peak_sign, mask, strict=strict)


def _float64(values: NDArray[Any]) -> NDArray[np.float64]:
    return values.astype(np.float64)


def _extrema(xp: Any, traces: Any, first: int, last: int, low: Any, high: Any) -> tuple[Any, Any]:
    """Local extrema beyond the limits in rows first to last, sorted by row, then channel."""
    earlier, here, later = traces[first - 1 : last - 1], traces[first:last], traces[first + 1 : last + 1]
    trough = (here <= low) & (here < earlier) & (here <= later)
    crest = (here >= high) & (here > earlier) & (here >= later)
    rows, channels = xp.nonzero(trough | crest)
    return rows + first, channels


def beaten_by_neighbors(
    xp: Any,
    rows: Any,
    channels: Any,
    ratios: Any,
    neighbors: Any,
    sweep: int,
    n_rows: int,
    *,
    margin: float = 1.0,
) -> Any:
    """Whether a candidate on a neighbor channel within the sweep has a larger ratio, or an equal one and comes first.

    Ratios of others are divided by the margin. Sorted by channel, then row, the competitors on one channel form a run.
    Runs are short, and each step looks at one position in the runs of all candidates on all neighbors.
    """
    n_channels = len(neighbors)
    pitch = n_rows + 2 * sweep  # so that no window reaches the run of the next channel
    beaten = xp.zeros(rows.shape, dtype=bool)
    if not len(rows):
        return beaten
    place = channels * pitch + rows
    order = xp.argsort(place)  # no two are equal
    place, precedence, strength = place[order], (rows * n_channels + channels)[order], ratios[order]
    around = neighbors[channels]
    base = around * pitch + rows[:, None]
    begin = xp.searchsorted(place, base - sweep)
    end = xp.where(around >= 0, xp.searchsorted(place, base + sweep, side="right"), begin)
    own = (rows * n_channels + channels)[:, None]
    for step in range(int((end - begin).max())):
        inside = begin + step < end
        other = xp.minimum(begin + step, len(place) - 1)
        stronger = strength[other] > margin * ratios[:, None]
        tied = (strength[other] == margin * ratios[:, None]) & (precedence[other] < own)
        beaten |= (inside & (stronger | tied)).any(axis=1)
    return beaten


def peak_columns(xp: Any, traces: Any, rows: Any, channels: Any, row_offset: int) -> Columns:
    return Columns(
        {
            "sample_index": rows + row_offset,
            "channel_index": channels,
            "amplitude": traces[rows, channels].astype(np.float64),
            "segment_index": xp.zeros(rows.shape, dtype=np.int64),
        }
    )
