"""Amplitude of a peak on each of the surrounding channels, the starting point of every localization method."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.features.waveforms import event_rows
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
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Feature of each event on each neighbor channel, zero for padding, and the events' channels."""
    check_feature(feature)
    rows = event_rows(traces, events, before=before, after=after, start=start, nbefore=nbefore, nafter=nafter)
    channels = events["channel_index"].astype(np.int64)
    code = _FEATURES.index(feature)
    return _channel_features(traces, rows, channels, neighbors, nbefore, nafter, code), channels


@kernel
def _channel_features(
    traces: NDArray[np.float32],
    rows: NDArray[np.int64],
    channels: NDArray[np.int64],
    neighbors: NDArray[np.int32],
    nbefore: int,
    nafter: int,
    code: int,
) -> NDArray[np.float64]:
    n_slots = neighbors.shape[1]
    sizes = np.zeros((rows.size, n_slots), dtype=np.float64)
    lowest = np.empty(n_slots, dtype=np.float32)
    highest = np.empty(n_slots, dtype=np.float32)
    for i in range(rows.size):
        slots = neighbors[channels[i]]
        if code == 2:
            for j in range(n_slots):
                if slots[j] >= 0:
                    sizes[i, j] = abs(traces[rows[i], slots[j]])
        elif code == 1:
            for row in range(rows[i] - nbefore, rows[i] + nafter):
                for j in range(n_slots):
                    if slots[j] >= 0:
                        value = np.float64(traces[row, slots[j]])
                        sizes[i, j] += value * value
            for j in range(n_slots):
                sizes[i, j] = np.sqrt(sizes[i, j])
        else:
            lowest[:] = np.inf
            highest[:] = -np.inf
            for row in range(rows[i] - nbefore, rows[i] + nafter):
                for j in range(n_slots):
                    # Slot -1 reads the last channel, which is harmless: a branch would cost more than the read.
                    v = traces[row, slots[j]]
                    lowest[j] = min(lowest[j], v)
                    highest[j] = max(highest[j], v)
            for j in range(n_slots):
                if slots[j] >= 0:
                    sizes[i, j] = highest[j] - lowest[j]
    return sizes
