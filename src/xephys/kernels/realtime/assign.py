"""Assign detected spikes to sequences, in the order of time: the same code for a whole recording and for a block of it.

A sequence is the pattern that the spikes of one neuron leave on the channels around its root: how large, how late and
how probable a detection is on each. A spike goes to the sequence within whose limits it lies and from which it differs
least, in units of the noise. Means then follow the spike by a moving average, so that sequences keep up with the
tissue. What is remembered between spikes is a small state, so that a recording in blocks gives what a whole one gives.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import empty, full
from xephys.kernels.lib.inner import KERNEL

#: Variation of a spike's size, the same on all channels, and of each channel by itself; both relative. Neurons that
#: burst make smaller spikes, whose pattern stays the same.
SIZE_CV, AMPLITUDE_CV = 0.2, 0.06
#: Mean squared difference from a pattern, in units of the noise, beyond which a spike is that of no sequence.
DISTANCE_MAX = 2.0
#: Squared difference on one channel from which on it counts no more: another neuron's spike may lie there.
CHANNEL_MAX = 9.0
#: Standard deviation of a latency in samples, at an amplitude of one noise level and beyond all noise.
LATENCY_NOISE, LATENCY_FLOOR = 2.5, 0.35


class Sequences(NamedTuple):
    """Arrays of the sequences, contiguous; slots are channels in the order of distance from the root.

    Attributes
    ----------
    channels : int32 (sequence, slot)
        Channels around the root, the root first, padded with -1.
    amplitudes, latencies, probabilities : float32 (sequence, slot)
        Means over the spikes: units of the noise, samples after the root, probability of a detection.
    n_inner : int32 (sequence,)
        Number of inner channels.
    root_std : float32 (sequence,)
        Standard deviation of the amplitude on the root.
    slot_of : int16 (sequence, channel)
        Slot of each channel, or -1.
    near_offsets : int64 (channel + 1,), near : int32
        Sequences whose root is within the inner radius of each channel.
    """

    channels: NDArray[np.int32]
    amplitudes: NDArray[np.float32]
    latencies: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    n_inner: NDArray[np.int32]
    root_std: NDArray[np.float32]
    slot_of: NDArray[np.int16]
    near_offsets: NDArray[np.int64]
    near: NDArray[np.int32]


class Limits(NamedTuple):
    """How far a spike may be from a sequence; ``follow`` is the weight of a spike in the moving averages."""

    max_latency_diff: float
    max_amp_diff: float
    max_root_z: float
    min_loose_prob: float
    min_inner_loose: int
    min_loose: int
    min_loose_share: float
    overlap_samples: float
    follow: float


def make_sequences(
    *,
    channels: NDArray[np.int32],
    amplitudes: NDArray[np.floating[Any]],
    latencies: NDArray[np.floating[Any]],
    probabilities: NDArray[np.floating[Any]],
    n_inner: NDArray[np.int32],
    root_std: NDArray[np.floating[Any]],
    inner: NDArray[np.int32],
) -> Sequences:
    """Sequences with their tables; arrays are copied, since assignment changes them where they follow drift.

    Parameters
    ----------
    channels, amplitudes, latencies, probabilities, n_inner, root_std
        As in :class:`Sequences`.
    inner : int32 (channel, k)
        Channels within the inner radius of each channel, itself included, padded with -1.

    Examples
    --------
    >>> one = np.ones((1, 2))
    >>> sequences = make_sequences(
    ...     channels=np.array([[1, 0]], np.int32), amplitudes=one, latencies=one, probabilities=one,
    ...     n_inner=np.array([2], np.int32), root_std=one[0, :1], inner=np.array([[0, 1], [0, 1]], np.int32))
    >>> sequences.slot_of.tolist(), sequences.near.tolist()
    ([[1, 0]], [0, 0])
    """
    n, n_channels = len(channels), len(inner)
    slot_of = np.full((n, n_channels), -1, np.int16)
    row, slot = np.nonzero(channels >= 0)
    slot_of[row, channels[row, slot]] = slot
    within = np.zeros((n_channels, n_channels), np.bool_)
    at, k = np.nonzero(inner >= 0)
    within[at, inner[at, k]] = True
    reach = within[:, channels[:, 0]] if n else np.zeros((n_channels, 0), np.bool_)
    offsets = np.zeros(n_channels + 1, np.int64)
    np.cumsum(reach.sum(axis=1), out=offsets[1:])
    return Sequences(
        np.array(channels, np.int32),
        np.array(amplitudes, np.float32),
        np.array(latencies, np.float32),
        np.array(probabilities, np.float32),
        np.array(n_inner, np.int32),
        np.array(root_std, np.float32),
        slot_of,
        offsets,
        np.nonzero(reach)[1].astype(np.int32),
    )


def new_state(n_sequences: int) -> NDArray[np.float64]:
    """Time of the last spike of each sequence: long ago.

    Examples
    --------
    >>> new_state(1)
    array([-inf])
    """
    return np.full(n_sequences, -np.inf)


@njit(**KERNEL, error_model="numpy")
def assign(
    samples: NDArray[np.int64],
    channels: NDArray[np.int64],
    offsets: NDArray[np.float32],
    amplitudes: NDArray[np.float32],
    latencies: NDArray[np.float32],
    probabilities: NDArray[np.float32],
    neighbors: NDArray[np.int32],
    sequences: Sequences,
    limits: Limits,
    last: NDArray[np.float64],
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float32]]:
    """The sequence of each root, or -1; changes ``sequences``, where it follows drift, and ``last``.

    Parameters
    ----------
    samples, channels, offsets : (root,)
        Roots in order of time.
    amplitudes, latencies, probabilities : float32 (root, slot)
        Of the detections around each root; the probability is 0 where nothing was detected.
    neighbors : int32 (channel, slot)
        Channels of the slots of a root.
    sequences, limits
        Patterns, and how far a spike may be from them.
    last : float64 (sequence,)
        Time of the last spike of each sequence.

    Returns
    -------
    label : int32 (root,)
    time : float64 (root,)
        When the spike was largest on the root of its sequence, in samples.
    distance : float32 (root,)
        Mean squared difference from the pattern in units of the noise; NaN without a sequence.
    """
    n_slots = neighbors.shape[1]
    label = full(len(samples), -1, np.int32)
    time = empty(len(samples), np.float64)
    distance = full(len(samples), np.nan, np.float32)
    for i in range(len(samples)):
        own = channels[i]
        time[i] = samples[i] + offsets[i]
        best = DISTANCE_MAX
        best_shift = 0.0
        for j in range(sequences.near_offsets[own], sequences.near_offsets[own + 1]):
            s = sequences.near[j]
            weight, shift = 0.0, 0.0
            n_loose, n_inner, n_expected = 0, 0, 0
            for slot in range(n_slots):
                c = neighbors[own, slot]
                k = -1 if c < 0 else sequences.slot_of[s, c]
                if k < 0:
                    continue
                p = sequences.probabilities[s, k]
                if p >= limits.min_loose_prob:
                    n_expected += 1
                    if probabilities[i, slot] > 0:
                        n_loose += 1
                        if k < sequences.n_inner[s]:
                            n_inner += 1
                        w = p * sequences.amplitudes[s, k]
                        weight += w
                        shift += w * (latencies[i, slot] - sequences.latencies[s, k])
            if weight == 0.0 or n_inner < limits.min_inner_loose or n_loose < limits.min_loose:
                continue
            if n_loose < limits.min_loose_share * n_expected:
                continue
            shift /= weight
            along = norm = 1.0 / (SIZE_CV * SIZE_CV)
            for slot in range(n_slots):
                c = neighbors[own, slot]
                k = -1 if c < 0 else sequences.slot_of[s, c]
                if k >= 0:
                    mean = sequences.amplitudes[s, k]
                    along += amplitudes[i, slot] * mean
                    norm += mean * mean
            scale = along / norm
            late, off, size, total = 0.0, 0.0, 0.0, 0.0
            square, n_terms = ((scale - 1.0) / SIZE_CV) ** 2, 1
            root_amplitude = -1.0
            for slot in range(n_slots):
                c = neighbors[own, slot]
                k = -1 if c < 0 else sequences.slot_of[s, c]
                if k < 0:
                    continue
                mean = sequences.amplitudes[s, k]
                difference = amplitudes[i, slot] - mean
                off += abs(difference)
                size += mean
                spread = AMPLITUDE_CV * mean
                rest = amplitudes[i, slot] - scale * mean
                square += min(rest * rest / (1.0 + spread * spread), CHANNEL_MAX)
                n_terms += 1
                if k == 0:
                    root_amplitude = amplitudes[i, slot]
                p = sequences.probabilities[s, k]
                if probabilities[i, slot] > 0 and p >= limits.min_loose_prob:
                    error = latencies[i, slot] - sequences.latencies[s, k] - shift
                    w = p * mean
                    late += w * abs(error)
                    total += w
                    jitter = LATENCY_NOISE / max(mean, 1.0) + LATENCY_FLOOR
                    square += min(error * error / (jitter * jitter), 25.0)
                    n_terms += 1
            if late > limits.max_latency_diff * total or off > limits.max_amp_diff * size:
                continue
            z = abs(root_amplitude - sequences.amplitudes[s, 0]) / max(sequences.root_std[s], 1.0)
            if root_amplitude < 0 or z > limits.max_root_z:
                continue
            square /= n_terms
            if square < best:
                best = square
                best_shift = shift
                label[i] = s
        s = label[i]
        if s < 0:
            continue
        distance[i] = best
        time[i] += best_shift
        if time[i] - last[s] <= limits.overlap_samples:
            label[i] = -1
            continue
        last[s] = time[i]
        if limits.follow > 0.0:
            for slot in range(n_slots):
                c = neighbors[own, slot]
                k = -1 if c < 0 else sequences.slot_of[s, c]
                if k >= 0:
                    f = limits.follow
                    sequences.amplitudes[s, k] += f * (amplitudes[i, slot] - sequences.amplitudes[s, k])
                    if probabilities[i, slot] > 0:
                        lag = latencies[i, slot] - best_shift
                        sequences.latencies[s, k] += f * (lag - sequences.latencies[s, k])
    return label, time, distance
