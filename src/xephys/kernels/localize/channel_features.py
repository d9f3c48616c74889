"""Amplitude of a peak on each of the surrounding channels, the starting point of every localization method."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.features.waveforms import event_rows
from xephys.kernels.lib.arrays import empty, zeros
from xephys.kernels.lib.inner import kernel

Feature = Literal["ptp", "energy", "peak_voltage"]


_FEATURES = ("ptp", "energy", "peak_voltage")


def check_feature(feature: str) -> None:
    if feature not in _FEATURES:
        raise ValueError(f"feature is {feature!r}; use one of {', '.join(_FEATURES)}")


def channel_sizes(
    traces: NDArray[np.float32],
    events: NDArray[np.void],
    before: int,
    after: int,
    start: int,
    neighbors: NDArray[np.int32],
    feature: Feature,
    nbefore: int,
    nafter: int,
    gains: NDArray[np.float32] | None = None,
    offsets: NDArray[np.float32] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Feature of each event on each neighbor channel, zero for padding, and the events' channels.

    Traces in counts are scaled by the gain and offset of each channel, if these are given.
    """
    check_feature(feature)
    gains = np.ones(traces.shape[1], np.float32) if gains is None else gains
    offsets = np.zeros(traces.shape[1], np.float32) if offsets is None else offsets
    rows = event_rows(traces, events, before=before, after=after, start=start, nbefore=nbefore, nafter=nafter)
    channels = events["channel_index"].astype(np.int64)
    code = _FEATURES.index(feature)
    return _channel_features(traces, gains, offsets, rows, channels, neighbors, nbefore, nafter, code), channels


@kernel
def _channel_features(
    traces: NDArray[Any],
    gains: NDArray[np.float32],
    offsets: NDArray[np.float32],
    rows: NDArray[np.int64],
    channels: NDArray[np.int64],
    neighbors: NDArray[np.int32],
    nbefore: int,
    nafter: int,
    code: int,
) -> NDArray[np.float64]:
    n_slots = neighbors.shape[1]
    sizes = zeros((rows.size, n_slots), np.float64)
    lowest = empty(n_slots, np.float32)
    highest = empty(n_slots, np.float32)
    for i in range(rows.size):
        slots = neighbors[channels[i]]
        if code == 2:
            for j in range(n_slots):
                if slots[j] >= 0:
                    c = slots[j]
                    sizes[i, j] = abs(np.float32(traces[rows[i], c]) * gains[c] + offsets[c])
        elif code == 1:
            for row in range(rows[i] - nbefore, rows[i] + nafter):
                for j in range(n_slots):
                    if slots[j] >= 0:
                        c = slots[j]
                        value = np.float64(np.float32(traces[row, c]) * gains[c] + offsets[c])
                        sizes[i, j] += value * value
            for j in range(n_slots):
                sizes[i, j] = np.sqrt(sizes[i, j])
        else:
            lowest[:] = np.inf
            highest[:] = -np.inf
            for row in range(rows[i] - nbefore, rows[i] + nafter):
                for j in range(n_slots):
                    # Slot -1 reads the last channel, which is harmless: a branch would cost more than the read.
                    v = np.float32(traces[row, slots[j]])
                    lowest[j] = min(lowest[j], v)
                    highest[j] = max(highest[j], v)
            for j in range(n_slots):
                if slots[j] >= 0:
                    # Rounding keeps the order, so the largest of the scaled values is the largest one, scaled.
                    c = slots[j]
                    sizes[i, j] = abs((highest[j] * gains[c] + offsets[c]) - (lowest[j] * gains[c] + offsets[c]))
    return sizes
