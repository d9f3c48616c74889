"""Cut the waveforms of known spikes, on the channels of their units, out of one tile of traces.

Samples outside the recording count as zero, because the padding of a tile is not data.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import empty, zeros
from xephys.kernels.lib.inner import kernel
from xephys.kernels.lib.lanes import LANES, add, fma, load_f64, store


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
    gains: NDArray[np.float32],
    offsets: NDArray[np.float32],
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
    gains, offsets : (channel,) float32
        A value of a waveform is a sample times the gain of its channel, plus its offset.
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
    >>> traces, scaling = np.arange(5, dtype=np.int16)[:, None] + 1, (np.float32([0.5]), np.float32([0]))
    >>> channels = np.array([[0, -1]], np.int32)
    >>> cut_waveforms(traces, *scaling, np.array([0]), np.array([0]), channels, 1, 2, 0, 5)[0].tolist()
    [[0.0, 0.0], [0.5, 0.0], [1.0, 0.0]]
    """
    n_slots = channels.shape[1]
    out = zeros((rows.size, nbefore + nafter, n_slots), np.float32)
    gain, offset = empty(n_slots, np.float32), empty(n_slots, np.float32)
    for i in range(rows.size):
        wanted = channels[units[i]]
        for k in range(n_slots):
            gain[k], offset[k] = gains[wanted[k]], offsets[wanted[k]]
        for t in range(max(0, lo - rows[i] + nbefore), min(nbefore + nafter, hi - rows[i] + nbefore)):
            row = traces[rows[i] - nbefore + t]
            for k in range(n_slots):
                if wanted[k] >= 0:
                    out[i, t, k] = np.float32(row[wanted[k]]) * gain[k] + offset[k]
    return out


@kernel
def sum_waveforms(
    traces: NDArray[Any],
    gains: NDArray[np.float32],
    offsets: NDArray[np.float32],
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
    traces, gains, offsets, rows, units, channels, nbefore, nafter, lo, hi
        As for :func:`cut_waveforms`.
    squared : bool
        Whether to sum squares; if not, their array is empty.

    Examples
    --------
    >>> traces, channels = np.float32([[2, 7], [3, 8]]), np.array([[-1, 1], [0, -1]], np.int32)
    >>> rows, units = np.array([0, 1, 1]), np.array([1, 1, 0])
    >>> scaling = np.ones(2, np.float32), np.zeros(2, np.float32)
    >>> sums, squares, counts = sum_waveforms(traces, *scaling, rows, units, channels, 0, 1, 0, 2, True)
    >>> sums.tolist(), squares.tolist(), counts.tolist()
    ([8.0, 5.0], [64.0, 13.0], [1, 2])
    """
    n_units, n_slots = channels.shape
    n_samples = nbefore + nafter
    packed = zeros((n_units, n_slots), np.int64)
    n_own = zeros(n_units, np.int64)
    first = zeros(n_units + 1, np.int64)
    for unit in range(n_units):
        for k in range(n_slots):
            if channels[unit, k] >= 0:
                packed[unit, n_own[unit]] = channels[unit, k]
                n_own[unit] += 1
        first[unit + 1] = first[unit] + n_samples * n_own[unit]
    sums = zeros(first[n_units])
    squares = zeros(first[n_units] if squared else 0)
    counts = zeros(n_units, np.int64)
    gain, offset = empty((n_units, n_slots), np.float32), empty((n_units, n_slots), np.float32)
    for unit in range(n_units):
        for k in range(n_own[unit]):
            gain[unit, k], offset[unit, k] = gains[packed[unit, k]], offsets[packed[unit, k]]
    line, lanes = empty(n_slots, np.float32), LANES // 2
    for i in range(rows.size):
        unit = units[i]
        counts[unit] += 1
        for t in range(max(0, lo - rows[i] + nbefore), min(n_samples, hi - rows[i] + nbefore)):
            row = traces[rows[i] - nbefore + t]
            place = first[unit] + t * n_own[unit]
            for k in range(n_own[unit]):
                line[k] = np.float32(row[packed[unit, k]]) * gain[unit, k] + offset[unit, k]
            whole = n_own[unit] // lanes * lanes
            for k in range(0, whole, lanes):
                values = load_f64(line, k)
                store(sums, place + k, add(load_f64(sums, place + k), values))
                if squared:
                    store(squares, place + k, fma(values, values, load_f64(squares, place + k)))
            for k in range(whole, n_own[unit]):
                value = np.float64(line[k])
                sums[place + k] += value
                if squared:
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
    traces: NDArray[Any],
    gains: NDArray[np.float32],
    offsets: NDArray[np.float32],
    rows: NDArray[np.int64],
    channels: NDArray[np.int64],
    lo: int,
    hi: int,
) -> NDArray[np.float32]:
    """One scaled sample on one channel for each spike; zero outside the recording.

    Examples
    --------
    >>> traces, scaling = np.int16([[1, 2], [3, 4]]), (np.float32([2, 2]), np.float32([0, 0]))
    >>> values_at(traces, *scaling, np.array([1, 2]), np.array([0, 0]), 0, 2).tolist()
    [6.0, 0.0]
    """
    out = zeros(rows.size, np.float32)
    for i in range(rows.size):
        if lo <= rows[i] < hi:
            out[i] = np.float32(traces[rows[i], channels[i]]) * gains[channels[i]] + offsets[channels[i]]
    return out
