"""Cut the waveforms of known spikes, on the channels of their units, out of one tile of traces.

Samples outside the recording count as zero, because the padding of a tile is not data.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.inner import kernel


def inside_rows(n_rows: int, *, first_row: int, first_sample: int, stop_sample: int) -> tuple[int, int]:
    """Rows ``[lo, hi)`` of a tile that are samples of the recording.

    Parameters
    ----------
    n_rows : int
        Rows of the tile with its halo.
    first_row : int
        Absolute sample of row 0.
    first_sample, stop_sample : int
        Absolute samples that the recording covers.

    Examples
    --------
    >>> inside_rows(10, first_row=-3, first_sample=0, stop_sample=5)
    (3, 8)
    """
    return max(0, first_sample - first_row), min(n_rows, stop_sample - first_row)


@kernel
def cut_waveforms(
    traces: NDArray[Any],
    rows: NDArray[np.int64],
    units: NDArray[np.int64],
    channels: NDArray[np.int32],
    nbefore: int,
    nafter: int,
    lo: int,
    hi: int,
) -> NDArray[np.float32]:
    """Waveforms ``(spike, sample, slot)`` of spikes on their units' channels.

    Parameters
    ----------
    traces : (row, channel)
    rows : (spike,) int64
        Row of each spike's sample.
    units : (spike,) int64
    channels : (unit, slot) int32
        -1 where empty: zero there.
    nbefore, nafter : int
        Samples before, and from, the spike's sample.
    lo, hi : int
        Rows that are samples of the recording; zero outside.

    Examples
    --------
    >>> traces = np.arange(5, dtype=np.float32)[:, None] + 1
    >>> channels = np.array([[0, -1]], np.int32)
    >>> cut_waveforms(traces, np.array([0]), np.array([0]), channels, 1, 2, 0, 5)[0].tolist()
    [[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]]
    """
    n_slots = channels.shape[1]
    out = np.zeros((rows.size, nbefore + nafter, n_slots), np.float32)
    for i in range(rows.size):
        wanted = channels[units[i]]
        for t in range(max(0, lo - rows[i] + nbefore), min(nbefore + nafter, hi - rows[i] + nbefore)):
            row = traces[rows[i] - nbefore + t]
            for k in range(n_slots):
                if wanted[k] >= 0:
                    out[i, t, k] = row[wanted[k]]
    return out


@kernel
def sum_by_unit(
    waveforms: NDArray[np.float32], units: NDArray[np.int64], n_units: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Sums of waveforms and of their squares ``(unit, sample, slot)``, and their numbers ``(unit,)``.

    Examples
    --------
    >>> sums, squares, counts = sum_by_unit(np.float32([[[2]], [[3]]]), np.array([1, 1]), 2)
    >>> sums.ravel().tolist(), squares.ravel().tolist(), counts.tolist()
    ([0.0, 5.0], [0.0, 13.0], [0, 2])
    """
    _, n_samples, n_slots = waveforms.shape
    sums = np.zeros((n_units, n_samples, n_slots))
    squares = np.zeros((n_units, n_samples, n_slots))
    counts = np.zeros(n_units, np.int64)
    for i in range(units.size):
        unit = units[i]
        counts[unit] += 1
        for t in range(n_samples):
            for k in range(n_slots):
                value = np.float64(waveforms[i, t, k])
                sums[unit, t, k] += value
                squares[unit, t, k] += value * value
    return sums, squares, counts


@kernel
def values_at(
    traces: NDArray[Any], rows: NDArray[np.int64], channels: NDArray[np.int64], lo: int, hi: int
) -> NDArray[np.float32]:
    """One sample on one channel for each spike; zero outside the recording.

    Examples
    --------
    >>> values_at(np.float32([[1, 2], [3, 4]]), np.array([1, 2]), np.array([0, 0]), 0, 2).tolist()
    [3.0, 0.0]
    """
    out = np.zeros(rows.size, np.float32)
    for i in range(rows.size):
        if lo <= rows[i] < hi:
            out[i] = traces[rows[i], channels[i]]
    return out
