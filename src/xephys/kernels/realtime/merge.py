"""Which sequences are one: pairs within the limits between whose spikes there is no gap."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xephys.kernels.cluster.bimodality import bimodality
from xephys.kernels.cluster.parts import rows_by_label
from xephys.kernels.lib.arrays import empty
from xephys.kernels.lib.inner import KERNEL
from xephys.kernels.realtime.assign import Limits, Sequences
from xephys.kernels.realtime.branches import LATENCY_WEIGHT, RATIO_MAX
from xephys.kernels.realtime.patterns import Around, Patterns, Roots, to_sequences

#: At most so many spikes of a pair are compared.
N_COMPARED = 3000


def merge_targets(
    roots: Roots,
    around: Around,
    patterns: Patterns,
    label: NDArray[np.int32],
    limits: Limits,
    depth_min: float,
) -> NDArray[np.int64]:
    """The sequence that each one becomes a part of: of pairs within the limits the most similar first, once a pass."""
    sequences = to_sequences(patterns, around)
    pairs, score = _similar_pairs(sequences, patterns.root_std, limits)
    target = np.arange(len(patterns.root))
    taken = np.zeros(len(target), np.bool_)
    order = np.lexsort((pairs[:, 1], pairs[:, 0], score))
    used, members = rows_by_label(label, n_min=1)
    rows_of = {int(k): rows for k, rows in zip(used, members, strict=True)}
    for a, b in pairs[order]:
        if taken[a] or taken[b] or int(a) not in rows_of or int(b) not in rows_of:
            continue
        taken[[a, b]] = True
        if _are_one(roots, around, sequences, int(a), int(b), rows_of, depth_min):
            first, second = (a, b) if patterns.num_spikes[a] >= patterns.num_spikes[b] else (b, a)
            target[second] = first
    return target


def _are_one(
    roots: Roots,
    around: Around,
    sequences: Sequences,
    a: int,
    b: int,
    rows_of: Mapping[int, NDArray[np.intp]],
    depth_min: float,
) -> bool:
    """Whether no gap separates the spikes of two sequences on the channels that all of them share."""
    groups = [rows_of[k][:: max(1, len(rows_of[k]) // N_COMPARED)] for k in (a, b)]
    rows = np.concatenate(groups)
    channels = np.intersect1d(sequences.channels[a], sequences.channels[b])
    for own in np.unique(roots.channels[rows]):
        channels = np.intersect1d(channels, around.neighbors[own])
    channels = channels[channels >= 0]
    if len(channels) < 2:
        return False
    where = np.full((len(around.neighbors), len(channels)), 0, np.int64)
    for own in np.unique(roots.channels[rows]):
        where[own] = [np.flatnonzero(around.neighbors[own] == c)[0] for c in channels]
    at = where[roots.channels[rows]]
    amplitude = np.take_along_axis(roots.amplitudes[rows], at, axis=1)
    latency = np.take_along_axis(roots.latencies[rows], at, axis=1)
    known = np.take_along_axis(roots.probabilities[rows], at, axis=1) > 0
    usual = known.mean(axis=0) >= 0.5
    weight = np.where(known & usual, amplitude, 0.0)
    origin = (latency * weight).sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-9)
    middle = np.zeros(len(channels))
    for k in np.flatnonzero(usual):
        middle[k] = np.median((latency[:, k] - origin)[known[:, k]])
    late = np.where(known & usual, latency - origin[:, None] - middle, 0.0) * LATENCY_WEIGHT
    features = np.ascontiguousarray(np.concatenate([amplitude, np.clip(late, -6, 6)], axis=1), np.float32)
    depth, ratio = bimodality(features[: len(groups[0])], features[len(groups[0]) :])
    return depth < depth_min or ratio > RATIO_MAX


@njit(**KERNEL, error_model="numpy")
def _similar_pairs(sequences, root_std, limits):  # type: ignore[no-untyped-def]
    """Pairs of sequences with near roots that are within the limits, and their difference relative to these."""
    n, n_slots = sequences.channels.shape
    pairs = empty((max(n, 1) * 64, 2), np.int64)
    score = empty(max(n, 1) * 64)
    count = 0
    for a in range(n):
        root = sequences.channels[a, 0]
        for j in range(sequences.near_offsets[root], sequences.near_offsets[root + 1]):
            b = sequences.near[j]
            if b <= a or count == len(score):
                continue
            shared, inner, loose_a, loose_b = 0, 0, 0, 0
            weight, shift, size, off = 0.0, 0.0, 0.0, 0.0
            for k in range(n_slots):
                loose_a += sequences.probabilities[a, k] >= limits.min_loose_prob
                loose_b += sequences.probabilities[b, k] >= limits.min_loose_prob
                c = sequences.channels[a, k]
                m = -1 if c < 0 else sequences.slot_of[b, c]
                if m < 0:
                    continue
                size += max(sequences.amplitudes[a, k], sequences.amplitudes[b, m])
                off += abs(sequences.amplitudes[a, k] - sequences.amplitudes[b, m])
                p = min(sequences.probabilities[a, k], sequences.probabilities[b, m])
                if p >= limits.min_loose_prob:
                    shared += 1
                    inner += k < sequences.n_inner[a]
                    w = min(sequences.amplitudes[a, k], sequences.amplitudes[b, m])
                    weight += w
                    shift += w * (sequences.latencies[b, m] - sequences.latencies[a, k])
            least = limits.min_loose_share * max(loose_a, loose_b)
            if shared < limits.min_loose or shared < least or inner < limits.min_inner_loose or weight == 0:
                continue
            shift /= weight
            late = 0.0
            for k in range(n_slots):
                c = sequences.channels[a, k]
                m = -1 if c < 0 else sequences.slot_of[b, c]
                if (
                    m >= 0
                    and min(sequences.probabilities[a, k], sequences.probabilities[b, m]) >= limits.min_loose_prob
                ):
                    w = min(sequences.amplitudes[a, k], sequences.amplitudes[b, m])
                    late += w * abs(sequences.latencies[b, m] - sequences.latencies[a, k] - shift)
            late /= weight
            off /= size
            m = sequences.slot_of[b, root]
            z = abs(sequences.amplitudes[a, 0] - sequences.amplitudes[b, m]) / max(root_std[a], root_std[b], 1.0)
            if late <= limits.max_latency_diff and off <= limits.max_amp_diff and z <= limits.max_root_z:
                pairs[count, 0], pairs[count, 1] = a, b
                score[count] = late / limits.max_latency_diff + off / limits.max_amp_diff
                count += 1
    return pairs[:count], score[:count]
