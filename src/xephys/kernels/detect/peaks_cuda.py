"""Threshold detection as a CUDA kernel: one thread per sample, which looks around only at an extremum.

The rule is that of `xephys.kernels.detect.peaks`, ties included.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cuda

from xephys.kernels.lib.cuda import for_numba, is_simulated

#: Channels per thread block, and number of rows that one thread steps through.
N_THREADS, ROWS = 128, 8

__all__ = ["locally_exclusive_peaks"]


@cuda.jit(device=True)
def _is_extremum(traces, row, channel, low, high):  # type: ignore[no-untyped-def]
    """Whether a sample lies beyond its limits and is a local extremum, the first of several equal ones."""
    here, earlier, later = traces[row, channel], traces[row - 1, channel], traces[row + 1, channel]
    trough = here <= low and here < earlier and here <= later
    return trough or (here >= high and here > earlier and here >= later)


@cuda.jit(device=True)
def _is_beaten(traces, row, channel, low, high, thresholds, neighbors, sweep):  # type: ignore[no-untyped-def]
    """Whether a nearby extremum has a larger ratio to its threshold, or an equal one and comes first."""
    ratio = abs(np.float64(traces[row, channel])) / thresholds[channel]
    for k in range(neighbors.shape[1]):
        other = neighbors[channel, k]
        if other < 0:
            continue
        for t in range(row - sweep, row + sweep + 1):
            if not _is_extremum(traces, t, other, low[other], high[other]):
                continue
            competing = abs(np.float64(traces[t, other])) / thresholds[other]
            if competing > ratio:
                return True
            if competing == ratio and (t < row or (t == row and other < channel)):
                return True
    return False


@cuda.jit(cache=True)
def _mark(traces, low, high, thresholds, neighbors, sweep, before, marked):  # type: ignore[no-untyped-def]
    channel = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    if channel >= traces.shape[1]:
        return
    first = cuda.blockIdx.y * ROWS
    for row in range(first, min(first + ROWS, marked.shape[0])):
        at = row + before
        found = _is_extremum(traces, at, channel, low[channel], high[channel])
        marked[row, channel] = found and not _is_beaten(traces, at, channel, low, high, thresholds, neighbors, sweep)


def locally_exclusive_peaks(
    xp: Any, traces: Any, *, low: Any, high: Any, thresholds: Any, neighbors: Any, sweep: int, before: int, n: int
) -> tuple[Any, Any]:
    """Rows of the tile and channels of the peaks in its core, by row, then channel.

    Parameters
    ----------
    xp
        Namespace of the device; NumPy where Numba simulates one.
    traces : float32 (sample, channel)
    low, high : float32 (channel,)
        Limits beyond which a trough or a crest counts.
    thresholds : float64 (channel,)
    neighbors : integer (channel, k)
        Padded with -1.
    sweep : int
        Samples on either side within which the largest excludes the others.
    before, n : int
        First row of the core and its number of rows; at least ``sweep + 1`` rows precede and follow it.
    """
    marked = xp.empty((n, traces.shape[1]), dtype=bool)
    n_threads = 1 if is_simulated() else N_THREADS
    grid = -(-traces.shape[1] // n_threads), -(-n // ROWS)
    if n:
        _mark[grid, n_threads](*for_numba(traces, low, high, thresholds, neighbors), sweep, before, *for_numba(marked))
    rows, channels = xp.nonzero(marked)
    return rows + before, channels
