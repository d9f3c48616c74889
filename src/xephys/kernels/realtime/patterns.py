"""Roots, and the patterns that the spikes of one neuron leave around theirs: means over the spikes of each label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import zeros
from xephys.kernels.lib.inner import KERNEL
from xephys.kernels.realtime.assign import Limits, Sequences, make_sequences


class Roots(NamedTuple):
    """Roots in order of time, with ``float32`` values per slot; ``clear`` are those fit to learn from."""

    samples: NDArray[np.int64]
    channels: NDArray[np.int64]
    offsets: NDArray[np.float32]
    amplitudes: NDArray[np.float32]
    latencies: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    clear: NDArray[np.bool_]


class Around(NamedTuple):
    """Channels around each channel: ``neighbors`` (channel, slot), ``n_inner`` of these, and ``inner`` as a table."""

    neighbors: NDArray[np.int32]
    n_inner: NDArray[np.int32]
    inner: NDArray[np.int32]


class Patterns(NamedTuple):
    """Sequences as they are learned: root channel, number of spikes, and per slot the means."""

    root: NDArray[np.int64]
    num_spikes: NDArray[np.int64]
    amplitudes: NDArray[np.float32]
    latencies: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    root_std: NDArray[np.float32]

    def taken(self, rows: NDArray[Any]) -> Patterns:
        """Some of them, by number or by mask."""
        return Patterns(
            self.root[rows],
            self.num_spikes[rows],
            self.amplitudes[rows],
            self.latencies[rows],
            self.probabilities[rows],
            self.root_std[rows],
        )


def to_sequences(patterns: Patterns, around: Around) -> Sequences:
    """The patterns with the tables that assignment needs."""
    return make_sequences(
        channels=around.neighbors[patterns.root],
        amplitudes=patterns.amplitudes,
        latencies=patterns.latencies,
        probabilities=patterns.probabilities,
        n_inner=around.n_inner[patterns.root],
        root_std=patterns.root_std,
        inner=around.inner,
    )


def mean_patterns(
    roots: Roots,
    around: Around,
    label: NDArray[np.int32],
    shift: NDArray[np.float64],
    n: int,
    root: NDArray[np.int64] | None,
) -> Patterns:
    """Means over the spikes of each label on the channels around its root, or around the channel of its first spike."""
    if root is None:
        root = np.zeros(n, np.int64)
        known = np.flatnonzero(label >= 0)[::-1]
        root[label[known]] = roots.channels[known]
    slots = around.neighbors[root] if n else np.zeros((0, around.neighbors.shape[1]), np.int32)
    slot_of = np.full((n, len(around.neighbors)), -1, np.int16)
    row, slot = np.nonzero(slots >= 0)
    slot_of[row, slots[row, slot]] = slot
    return Patterns(root, *_sums(roots, around.neighbors, label, shift, slot_of, slots.shape[1]))


def usable_patterns(
    patterns: Patterns, around: Around, limits: Limits, settings: Mapping[str, Any], *, n_min: float
) -> Patterns:
    """Patterns with enough spikes, on enough channels and on few enough."""
    loose = patterns.probabilities >= max(limits.min_loose_prob, 1e-6)
    inner = loose & (np.arange(loose.shape[1]) < around.n_inner[patterns.root][:, None])
    n_loose = loose.sum(axis=1)
    keep = (
        (patterns.num_spikes >= n_min) & (n_loose >= limits.min_loose) & (inner.sum(axis=1) >= limits.min_inner_loose)
    )
    keep &= n_loose < settings["min_elecs_for_seq_noise"]
    return patterns.taken(keep)


@njit(**KERNEL, error_model="numpy")
def _sums(roots, neighbors, label, shift, slot_of, n_slots):  # type: ignore[no-untyped-def]
    """Number of spikes, mean amplitude, latency and probability per slot, and the deviation on the root."""
    n = len(slot_of)
    count = zeros(n, np.int64)
    seen = zeros((n, n_slots))
    detected = zeros((n, n_slots))
    amplitude = zeros((n, n_slots))
    late = zeros((n, n_slots))
    likely = zeros((n, n_slots))
    square = zeros(n)
    for i in range(len(label)):
        s = label[i]
        if s < 0:
            continue
        count[s] += 1
        for slot in range(neighbors.shape[1]):
            c = neighbors[roots.channels[i], slot]
            k = -1 if c < 0 else slot_of[s, c]
            if k < 0:
                continue
            a = np.float64(roots.amplitudes[i, slot])
            seen[s, k] += 1
            amplitude[s, k] += a
            if k == 0:
                square[s] += a * a
            if roots.probabilities[i, slot] > 0:
                detected[s, k] += 1
                likely[s, k] += roots.probabilities[i, slot]
                late[s, k] += roots.latencies[i, slot] - shift[i]
    for s in range(n):
        for k in range(n_slots):
            if seen[s, k] > 0:
                amplitude[s, k] /= seen[s, k]
            if detected[s, k] > 0:
                late[s, k] /= detected[s, k]
                # As a median would be: none if most spikes have no detection.
                likely[s, k] = likely[s, k] / detected[s, k] if 2 * detected[s, k] > seen[s, k] else 0.0
        if seen[s, 0] > 0:
            square[s] = np.sqrt(max(square[s] / seen[s, 0] - amplitude[s, 0] ** 2, 0.0))
    return (
        count,
        amplitude.astype(np.float32),
        late.astype(np.float32),
        likely.astype(np.float32),
        square.astype(np.float32),
    )
