"""Learn sequences from the roots of a recording: branch by latencies, split by amplitudes, assign, merge.

The steps are those of RT-Sort (van der Molen, Lim et al. 2024) with three changes. Latencies are fractions of a sample.
The split by amplitude sees the amplitudes on all channels, not the root's alone. And two sequences within the limits of
merging are merged only if there is no gap between their spikes, so that neighbors with similar patterns stay apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import ndtri

from xephys.kernels.cluster.bimodality import bimodality, valley_depth
from xephys.kernels.cluster.parts import rows_by_label
from xephys.kernels.cluster.split import split_features
from xephys.kernels.realtime.assign import Limits, Sequences, assign, make_sequences, new_state
from xephys.kernels.realtime.mixture import mixture_labels

#: Latencies count as differences of this many noise levels per sample when spikes are compared.
LATENCY_WEIGHT = 2.0
#: Two groups are separate if the valley between them holds at most this share of the spikes of the lower shoulder.
RATIO_MAX = 0.8
#: A valley is sought at this many places, so the probability of one by chance is multiplied by it.
N_PLACES = 100
#: Minimum difference of two groups of latencies, in samples, and at most so many spikes of a pair are compared.
LATENCY_GAP, N_COMPARED = 0.7, 3000
N_MERGE_PASSES = 12


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


def learn_sequences(
    roots: Roots,
    around: Around,
    *,
    limits: Limits,
    merge_limits: Limits,
    settings: Mapping[str, Any],
    duration_s: float,
) -> tuple[Patterns, NDArray[np.int32], list[dict[str, int]]]:
    """Sequences, the label of each root, and how many sequences each step left.

    Parameters
    ----------
    roots, around
        What was detected, and where.
    limits, merge_limits
        How far a spike may be from a sequence, and two sequences that are one.
    settings
        ``min_activity_root_cocs``, ``min_activity_hz``, ``max_n_components_latency``, ``max_n_components_amp``,
        ``min_coc_n``, ``min_coc_p`` and ``min_extend_comp_p`` (fractions), ``elec_patience``,
        ``split_coc_clusters_amps``, ``min_amp_dist_p``, ``min_elecs_for_seq_noise``, ``min_seq_spikes_n``,
        ``min_seq_spikes_hz``, ``relocate_root_min_amp``, ``relocate_root_max_latency``.
    duration_s
        Duration of what was detected.

    Returns
    -------
    patterns, label, log
    """
    depth_min = float(-ndtri(settings["min_amp_dist_p"] / N_PLACES))
    label = _clusters(roots, around, settings, depth_min, duration_s)
    patterns = _means(roots, around, label, np.zeros(len(label)), int(label.max(initial=-1)) + 1, None)
    log = [{"clusters": len(patterns.root)}]
    patterns = _usable(patterns, around, limits, settings, n_min=settings["min_coc_n"])
    log.append({"usable": len(patterns.root)})
    n_min = max(settings["min_seq_spikes_n"], settings["min_seq_spikes_hz"] * duration_s)
    patterns, label, shift = _settle(roots, around, patterns, limits, settings, n_min=n_min)
    log.append({"assigned": len(patterns.root)})
    for _ in range(N_MERGE_PASSES):
        target = _merge_targets(roots, around, patterns, label, merge_limits, depth_min)
        if np.array_equal(target, np.arange(len(target))):
            break
        used, merged = np.unique(target, return_inverse=True)
        label = np.where(label >= 0, merged[label], -1).astype(np.int32)
        patterns = _means(roots, around, label, shift, len(used), patterns.root[used])
        patterns, label, shift = _settle(roots, around, patterns, limits, settings, n_min=n_min)
        log.append({"merged": len(patterns.root)})
    return patterns, label, log


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


def _clusters(
    roots: Roots, around: Around, settings: Mapping[str, Any], depth_min: float, duration_s: float
) -> NDArray[np.int32]:
    """Clusters of the clear roots, channel by channel."""
    label = np.full(len(roots.samples), -1, np.int32)
    clear = np.flatnonzero(roots.clear)
    n_min = max(settings["min_activity_root_cocs"], settings["min_activity_hz"] * duration_s)
    _, members = rows_by_label(roots.channels[clear], n_min=1)
    count = 0
    for rows in (clear[m] for m in members):
        if len(rows) < n_min:
            continue
        n_slots = int((around.neighbors[roots.channels[rows[0]]] >= 0).sum())
        for branch in latency_branches(
            roots.latencies[rows, :n_slots], roots.probabilities[rows, :n_slots] > 0, settings
        ):
            part = rows[branch]
            if settings["split_coc_clusters_amps"]:
                split = split_features(
                    pattern_features(roots, part, n_slots),
                    n_spikes_min=int(settings["min_coc_n"]),
                    depth_min=depth_min,
                    ratio_max=RATIO_MAX,
                    n_levels_max=int(settings["max_n_components_amp"]),
                )
            else:
                split = np.zeros(len(part), np.int32)
            label[part] = np.where(split >= 0, split + count, -1)
            count += int(split.max(initial=-1)) + 1
    return label


def latency_branches(
    latencies: NDArray[np.float32], detected: NDArray[np.bool_], settings: Mapping[str, Any]
) -> list[NDArray[np.intp]]:
    """Rows of groups that differ in the latency on some channel.

    Parameters
    ----------
    latencies, detected : (root, slot)
        Slots in order of distance; the first one is the root.
    settings
        As for :func:`learn_sequences`.

    Examples
    --------
    >>> late = np.zeros((80, 2), np.float32)
    >>> late[:, 1] = np.r_[np.linspace(-3, -2, 40), np.linspace(4, 5, 40)]
    >>> settings = dict(max_n_components_latency=4, min_coc_n=10, min_coc_p=0.1, min_extend_comp_p=0.5, elec_patience=6)
    >>> [len(rows) for rows in latency_branches(late, np.ones((80, 2), bool), settings)]
    [40, 40]
    """
    out: list[NDArray[np.intp]] = []
    pending = [(np.arange(len(latencies)), 1)]
    while pending:
        rows, slot = pending.pop()
        patience = 0
        while slot < latencies.shape[1] and patience < settings["elec_patience"]:
            known = rows[detected[rows, slot]]
            patience += 1
            if len(known) >= max(settings["min_extend_comp_p"] * len(rows), 2 * settings["min_coc_n"]):
                groups = _latency_groups(latencies[known, slot], settings)
                if len(groups) > 1:
                    pending.extend((known[group], slot + 1) for group in groups[::-1])
                    break
            slot += 1
        else:
            out.append(rows)
            continue
    return out


def _latency_groups(values: NDArray[np.float32], settings: Mapping[str, Any]) -> list[NDArray[np.intp]]:
    """Rows of the components that are large enough and have a gap between them; one group if there is no gap."""
    labels = mixture_labels(values, n_components_max=int(settings["max_n_components_latency"]))
    n_min = max(settings["min_coc_n"], settings["min_coc_p"] * len(values))
    groups = [g for g in (np.flatnonzero(labels == k) for k in range(int(labels.max()) + 1)) if len(g) >= n_min]
    joined: list[NDArray[np.intp]] = []
    for group in groups:
        if joined:
            both = np.concatenate([joined[-1], group])
            low, high = float(np.median(values[joined[-1]])), float(np.median(values[group]))
            depth, ratio = valley_depth(values[both].astype(np.float64), low=low, high=high)
            if high - low < LATENCY_GAP or depth < 3.0 or ratio > RATIO_MAX:
                joined[-1] = np.sort(both)
                continue
        joined.append(group)
    return joined if joined else [np.arange(len(values))]


def pattern_features(roots: Roots, rows: NDArray[np.intp], n_slots: int) -> NDArray[np.float32]:
    """Amplitudes and latencies of some roots of one channel, in units of the noise."""
    amplitude, latency = roots.amplitudes[rows, :n_slots], roots.latencies[rows, 1:n_slots]
    known = roots.probabilities[rows, 1:n_slots] > 0
    usual = known.mean(axis=0) >= 0.5
    middle = np.array([np.median(latency[known[:, k], k]) if usual[k] else 0.0 for k in range(n_slots - 1)])
    late = np.where(known & usual, latency - middle, 0.0) * LATENCY_WEIGHT
    return np.ascontiguousarray(np.concatenate([amplitude, np.clip(late, -6, 6)], axis=1), np.float32)


def _usable(
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


def _settle(
    roots: Roots, around: Around, patterns: Patterns, limits: Limits, settings: Mapping[str, Any], *, n_min: float
) -> tuple[Patterns, NDArray[np.int32], NDArray[np.float64]]:
    """Assign all roots twice, with means and roots of the sequences computed in between; the few are dropped."""
    for _ in range(2):
        label, shift = _assigned(roots, around, patterns, limits)
        moved = _relocated(roots, around, patterns, label, shift, settings)
        patterns = _usable(moved, around, limits, settings, n_min=n_min)
    order = np.lexsort((-patterns.num_spikes, patterns.root))
    patterns = patterns.taken(order)
    label, shift = _assigned(roots, around, patterns, limits)
    return patterns, label, shift


def _assigned(
    roots: Roots, around: Around, patterns: Patterns, limits: Limits
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    label, time, _ = assign(
        roots.samples,
        roots.channels,
        roots.offsets,
        roots.amplitudes,
        roots.latencies,
        roots.probabilities,
        around.neighbors,
        to_sequences(patterns, around),
        limits._replace(follow=0.0),
        new_state(len(patterns.root)),
    )
    return label, time - (roots.samples + roots.offsets)


def _relocated(
    roots: Roots,
    around: Around,
    patterns: Patterns,
    label: NDArray[np.int32],
    shift: NDArray[np.float64],
    settings: Mapping[str, Any],
) -> Patterns:
    """Means over the assigned spikes, from the earliest channel that is nearly as large as the largest one."""
    n = len(patterns.root)
    means = _means(roots, around, label, shift, n, patterns.root)
    largest = means.amplitudes.max(axis=1, initial=0.0)
    early = (means.amplitudes >= settings["relocate_root_min_amp"] * largest[:, None]) & (means.probabilities > 0)
    peak = means.amplitudes.argmax(axis=1)
    rows = np.arange(n)
    after_peak = means.latencies - means.latencies[rows, peak][:, None]
    early &= after_peak >= settings["relocate_root_max_latency"]
    early[rows, peak] = True
    slot = np.where(early, means.latencies, np.inf).argmin(axis=1)
    root = np.where(means.num_spikes > 0, around.neighbors[patterns.root, slot], patterns.root).astype(np.int64)
    # Times are those of the old root, so the shift of each spike grows by the new root's latency.
    later = np.where(label >= 0, means.latencies[rows, slot][label], 0.0) if n else 0.0
    return _means(roots, around, label, shift + later, n, root)


def _means(
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


@njit(nogil=True, cache=True, error_model="numpy")
def _sums(roots, neighbors, label, shift, slot_of, n_slots):  # type: ignore[no-untyped-def]
    """Number of spikes, mean amplitude, latency and probability per slot, and the deviation on the root."""
    n = len(slot_of)
    count = np.zeros(n, np.int64)
    seen = np.zeros((n, n_slots))
    detected = np.zeros((n, n_slots))
    amplitude = np.zeros((n, n_slots))
    late = np.zeros((n, n_slots))
    likely = np.zeros((n, n_slots))
    square = np.zeros(n)
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


def _merge_targets(
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


@njit(nogil=True, cache=True, error_model="numpy")
def _similar_pairs(sequences, root_std, limits):  # type: ignore[no-untyped-def]
    """Pairs of sequences with near roots that are within the limits, and their difference relative to these."""
    n, n_slots = sequences.channels.shape
    pairs = np.empty((max(n, 1) * 64, 2), np.int64)
    score = np.empty(max(n, 1) * 64)
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
