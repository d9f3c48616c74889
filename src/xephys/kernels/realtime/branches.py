"""Cluster the roots of each channel: branch by latencies, then split by the amplitudes on all channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.cluster.parts import rows_by_label
from xephys.kernels.cluster.split import split_features
from xephys.kernels.cluster.valley import valley_depth
from xephys.kernels.realtime.mixture import mixture_labels
from xephys.kernels.realtime.patterns import Around, Roots

#: Latencies count as differences of this many noise levels per sample when spikes are compared.
LATENCY_WEIGHT = 2.0
#: Two groups are separate if the valley between them holds at most this share of the spikes of the lower shoulder.
RATIO_MAX = 0.8
#: Minimum difference of two groups of latencies, in samples.
LATENCY_GAP = 0.7


def cluster_roots(
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
