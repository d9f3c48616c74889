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
def sum_waveforms(
    traces: NDArray[Any],
    rows: NDArray[np.int64],
    units: NDArray[np.int64],
    channels: NDArray[np.int32],
    nbefore: int,
    nafter: int,
    lo: int,
    hi: int,
    squared: bool,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Sums of waveforms and of their squares by unit, and their numbers ``(unit,)``, without a copy of a waveform.

    The sums are flat: unit after unit, sample after sample, and only channels that a unit has, so that units with few
    channels take little memory beside one with many. :func:`filled_slots` gives their places.

    Parameters
    ----------
    traces, rows, units, channels, nbefore, nafter, lo, hi
        As for :func:`cut_waveforms`.
    squared : bool
        Whether to sum squares; if not, their array is empty.

    Examples
    --------
    >>> traces, channels = np.float32([[2, 7], [3, 8]]), np.array([[-1, 1], [0, -1]], np.int32)
    >>> rows, units = np.array([0, 1, 1]), np.array([1, 1, 0])
    >>> sums, squares, counts = sum_waveforms(traces, rows, units, channels, 0, 1, 0, 2, True)
    >>> sums.tolist(), squares.tolist(), counts.tolist()
    ([8.0, 5.0], [64.0, 13.0], [1, 2])
    """
    n_units, n_slots = channels.shape
    n_samples = nbefore + nafter
    packed = np.zeros((n_units, n_slots), np.int64)
    n_own = np.zeros(n_units, np.int64)
    first = np.zeros(n_units + 1, np.int64)
    for unit in range(n_units):
        for k in range(n_slots):
            if channels[unit, k] >= 0:
                packed[unit, n_own[unit]] = channels[unit, k]
                n_own[unit] += 1
        first[unit + 1] = first[unit] + n_samples * n_own[unit]
    sums = np.zeros(first[n_units])
    squares = np.zeros(first[n_units] if squared else 0)
    counts = np.zeros(n_units, np.int64)
    for i in range(rows.size):
        unit = units[i]
        counts[unit] += 1
        for t in range(max(0, lo - rows[i] + nbefore), min(n_samples, hi - rows[i] + nbefore)):
            row = traces[rows[i] - nbefore + t]
            place = first[unit] + t * n_own[unit]
            for k in range(n_own[unit]):
                sums[place + k] += np.float64(row[packed[unit, k]])
            if squared:
                for k in range(n_own[unit]):
                    value = np.float64(row[packed[unit, k]])
                    squares[place + k] += value * value
    return sums, squares, counts


def filled_slots(values: NDArray[np.float64], channels: NDArray[np.int32], n_samples: int) -> NDArray[np.float64]:
    """Flat sums as ``(unit, sample, slot)``, zero where a unit has no channel.

    Examples
    --------
    >>> filled_slots(np.array([8.0, 5.0]), np.array([[-1, 1], [0, -1]], np.int32), 1).tolist()
    [[[0.0, 8.0]], [[5.0, 0.0]]]
    """
    n_units, n_slots = channels.shape
    out = np.zeros((n_units, n_samples, n_slots))
    out[np.broadcast_to((channels >= 0)[:, None], out.shape)] = values
    return out


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
