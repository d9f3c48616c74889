"""Detect spikes on one tile of traces by threshold.

Two rules share one scan of the tile (`xephys.kernels.detect.threshold_scan`). The scan finds *candidates*, local
extrema beyond the threshold. A rule keeps or drops a candidate by looking at most ``exclude_sweep_samples`` to either
side, and never at whether another candidate was kept. The decision on a peak therefore depends on the samples within
`detection_halo`, and not on where the tile was cut.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.detect.threshold_scan import PeakSign, find_candidates, scan_limits
from xephys.kernels.lib.arrays import empty, full, zeros
from xephys.kernels.lib.dispatch import with_device_twin
from xephys.kernels.lib.inner import kernel
from xephys.kernels.lib.records import PEAK_DTYPE

__all__ = [
    "PEAK_DTYPE",
    "detect_by_channel",
    "detect_locally_exclusive",
    "detection_halo",
    "suppress_weaker",
]


def detection_halo(*, exclude_sweep_samples: int) -> int:
    """Number of samples that detection needs before and after its core.

    A candidate is a local extremum (one sample each side) and competes with the candidates within the sweep.

    Parameters
    ----------
    exclude_sweep_samples : int
        Half width of the exclusion window.

    Returns
    -------
    int
        The halo, the same on both sides and for both detection rules.

    Examples
    --------
    >>> detection_halo(exclude_sweep_samples=30)
    31
    """
    return exclude_sweep_samples + 1


@with_device_twin
def detect_by_channel(
    traces: NDArray[np.float32],
    *,
    before: int,
    after: int,
    start: int,
    thresholds: NDArray[np.floating[Any]],
    peak_sign: PeakSign = "neg",
    exclude_sweep_samples: int,
    good: NDArray[np.bool_] | None = None,
) -> NDArray[np.void]:
    """Detect peaks on each channel separately.

    A peak lies strictly beyond the threshold, strictly beyond every sample of the sweep before it, and at least as far
    as every sample of the sweep after it (SpikeInterface's ``by_channel`` rule).

    Parameters
    ----------
    traces : float32 (before + n + after, channel)
        Time-major traces; row ``before`` is sample `start`.
    before, after : int
        Halo rows on each side, at least ``detection_halo(...)``.
    start : int
        Absolute index of the first core sample.
    thresholds : float (channel,)
        Positive threshold of each channel, in the unit of the traces.
    peak_sign : {"neg", "pos", "both"}
        Sign of the peaks.
    exclude_sweep_samples : int
        Half width of the exclusion window, at least 1.
    good : bool (channel,), optional
        False where a channel must not give peaks (bad channels).

    Returns
    -------
    structured ndarray
        `PEAK_DTYPE` records of the core, sorted by sample, then channel.

    Raises
    ------
    ValueError
        If the halo is too short, or a threshold is not positive.

    Examples
    --------
    >>> traces = np.zeros((40, 2), dtype=np.float32)
    >>> traces[20, 1] = -7
    >>> peaks = detect_by_channel(traces, before=11, after=11, start=1000, thresholds=np.full(2, 5.0),
    ...                           exclude_sweep_samples=10)
    >>> peaks["sample_index"], peaks["channel_index"], peaks["amplitude"]
    (array([1009]), array([1]), array([-7.]))
    """
    if exclude_sweep_samples < 1:
        raise ValueError(f"exclude_sweep_samples is {exclude_sweep_samples}; by-channel detection needs at least 1")
    low, high = scan_limits(traces, thresholds, peak_sign, good, strict=True)
    stop = check_halo(traces, before, after, exclude_sweep_samples)
    rows, channels = find_candidates(traces, before, stop, low, high)
    keep = _beyond_sweep(traces, rows, channels, exclude_sweep_samples)
    return _peak_records(traces, rows[keep], channels[keep], start - before)


@with_device_twin
def detect_locally_exclusive(
    traces: NDArray[np.float32],
    *,
    before: int,
    after: int,
    start: int,
    thresholds: NDArray[np.floating[Any]],
    neighbors: NDArray[np.int32],
    peak_sign: PeakSign = "neg",
    exclude_sweep_samples: int,
    good: NDArray[np.bool_] | None = None,
) -> NDArray[np.void]:
    """Detect one peak per neighborhood in space and time.

    A candidate reaches its channel's threshold and is a local extremum in time: strictly beyond the sample before, and
    at least as far as the sample after. It is kept if no other candidate on a neighbor channel within the sweep has a
    larger ratio |amplitude| / threshold. Among equal ratios the earlier sample wins, then the lower channel. Except for
    ties, these are the peaks of SpikeInterface's ``locally_exclusive``, which keeps both of two equal candidates on the
    same sample.

    Parameters
    ----------
    traces : float32 (before + n + after, channel)
        Time-major traces; row ``before`` is sample `start`.
    before, after : int
        Halo rows on each side, at least ``detection_halo(...)``.
    start : int
        Absolute index of the first core sample.
    thresholds : float (channel,)
        Positive threshold of each channel, in the unit of the traces.
    neighbors : int32 (channel, k)
        Channels that compete with each channel, itself included, padded with -1.
    peak_sign : {"neg", "pos", "both"}
        Sign of the peaks. With "both", peaks of either sign compete with each other.
    exclude_sweep_samples : int
        Half width of the exclusion window.
    good : bool (channel,), optional
        False where a channel must neither give peaks nor suppress others (bad channels).

    Returns
    -------
    structured ndarray
        `PEAK_DTYPE` records of the core, sorted by sample, then channel.

    Raises
    ------
    ValueError
        If the halo is too short, or a threshold is not positive.

    Examples
    --------
    >>> traces = np.zeros((40, 2), dtype=np.float32)
    >>> traces[20] = -7, -9
    >>> peaks = detect_locally_exclusive(traces, before=11, after=11, start=1000, thresholds=np.full(2, 5.0),
    ...                                  neighbors=np.array([[0, 1], [0, 1]], dtype=np.int32),
    ...                                  exclude_sweep_samples=10)
    >>> peaks["sample_index"], peaks["channel_index"]
    (array([1009]), array([1]))
    """
    low, high = scan_limits(traces, thresholds, peak_sign, good, strict=False)
    stop = check_halo(traces, before, after, exclude_sweep_samples)
    first, last = before - exclude_sweep_samples, stop + exclude_sweep_samples
    rows, channels = find_candidates(traces, first, last, low, high)
    ratios = _threshold_ratios(traces, rows, channels, thresholds.astype(np.float64))
    keep = suppress_weaker(rows, channels, ratios, neighbors, exclude_sweep_samples)
    keep &= (rows >= before) & (rows < stop)
    return _peak_records(traces, rows[keep], channels[keep], start - before)


@kernel
def suppress_weaker(
    rows: NDArray[np.int64],
    channels: NDArray[np.int64],
    ratios: NDArray[np.float64],
    neighbors: NDArray[np.int32],
    exclude_sweep_samples: int,
    margin: float = 1.0,
) -> NDArray[np.bool_]:
    """Mark the candidates that no competitor beats.

    A competitor is another candidate on a neighbor channel within the sweep, whether kept or not. The larger ratio
    wins; among equal ratios, the first in the table.

    Parameters
    ----------
    rows, channels : int64 (candidate,)
        Where each candidate lies, sorted by row.
    ratios : float64 (candidate,)
        Strength of each candidate.
    neighbors : int32 (channel, k)
        Competing channels, padded with -1.
    exclude_sweep_samples : int
        Half width of the window.
    margin : float
        A competitor wins only if its ratio is still larger (or equal and first) after division by this.

    Returns
    -------
    bool (candidate,)
        True where the candidate is kept.
    """
    n_channels = neighbors.shape[0]
    n_candidates = rows.size
    # Candidates of one channel are adjacent and in time order, so a window on a channel is a short run of them.
    offsets = zeros(n_channels + 1, np.int64)
    for i in range(n_candidates):
        offsets[channels[i] + 1] += 1
    for c in range(n_channels):
        offsets[c + 1] += offsets[c]
    filled = offsets[:-1].copy()
    by_channel = empty(n_candidates, np.int64)
    for i in range(n_candidates):
        by_channel[filled[channels[i]]] = i
        filled[channels[i]] += 1

    window_start = offsets[:-1].copy()
    keep = full(n_candidates, True, np.bool_)
    for i in range(n_candidates):
        earliest = rows[i] - exclude_sweep_samples
        latest = rows[i] + exclude_sweep_samples
        for n in range(neighbors.shape[1]):
            c = neighbors[channels[i], n]
            if c < 0:
                continue
            p = window_start[c]
            while p < offsets[c + 1] and rows[by_channel[p]] < earliest:
                p += 1
            # Rows never decrease, so a candidate that is too early here is too early for all later ones.
            window_start[c] = p
            while p < offsets[c + 1]:
                j = by_channel[p]
                if rows[j] > latest:
                    break
                limit = margin * ratios[i]
                if ratios[j] > limit or (ratios[j] == limit and j < i):
                    keep[i] = False
                    break
                p += 1
            if not keep[i]:
                break
    return keep


def check_halo(traces: Any, before: int, after: int, exclude_sweep_samples: int) -> int:
    """Row after the last core row, after checking that the halo suffices."""
    halo = detection_halo(exclude_sweep_samples=exclude_sweep_samples)
    if before < halo or after < halo:
        raise ValueError(
            f"halo is {before} samples before and {after} after; "
            f"a sweep of {exclude_sweep_samples} samples needs {halo} on each side"
        )
    return len(traces) - after


@kernel
def _beyond_sweep(
    traces: NDArray[np.float32], rows: NDArray[np.int64], channels: NDArray[np.int64], sweep: int
) -> NDArray[np.bool_]:
    """True if, within the sweep, no earlier sample of the channel reaches as far and no later one goes further."""
    keep = full(rows.size, True, np.bool_)
    for i in range(rows.size):
        row, c = rows[i], channels[i]
        v = traces[row, c]
        for lag in range(1, sweep + 1):
            earlier, later = traces[row - lag, c], traces[row + lag, c]
            # Written as a positive test, so that a NaN in the window drops the peak.
            further = (v < earlier and v <= later) if v < 0 else (v > earlier and v >= later)
            if not further:
                keep[i] = False
                break
    return keep


@kernel
def _threshold_ratios(
    traces: NDArray[np.float32],
    rows: NDArray[np.int64],
    channels: NDArray[np.int64],
    thresholds: NDArray[np.float64],
) -> NDArray[np.float64]:
    ratios = empty(rows.size, np.float64)
    for i in range(rows.size):
        ratios[i] = abs(np.float64(traces[rows[i], channels[i]])) / thresholds[channels[i]]
    return ratios


def _peak_records(
    traces: NDArray[np.float32],
    rows: NDArray[np.int64],
    channels: NDArray[np.int64],
    row_offset: int,
) -> NDArray[np.void]:
    peaks: NDArray[np.void] = np.empty(rows.size, dtype=PEAK_DTYPE)
    peaks["sample_index"] = rows + row_offset
    peaks["channel_index"] = channels
    peaks["amplitude"] = traces[rows, channels]
    peaks["segment_index"] = 0
    return peaks
