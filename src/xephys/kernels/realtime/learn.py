"""Learn sequences from the roots of a recording: branch by latencies, split by amplitudes, assign, merge.

The steps are those of RT-Sort (van der Molen, Lim et al. 2024) with three changes. Latencies are fractions of a sample.
The split by amplitude sees the amplitudes on all channels, not the root's alone. And two sequences within the limits of
merging are merged only if there is no gap between their spikes, so that neighbors with similar patterns stay apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from xephys.kernels.realtime.assign import Limits, assign, new_state
from xephys.kernels.realtime.branches import cluster_roots
from xephys.kernels.realtime.merge import merge_targets
from xephys.kernels.realtime.patterns import Around, Patterns, Roots, mean_patterns, to_sequences, usable_patterns

#: A valley is sought at this many places, so the probability of one by chance is multiplied by it.
N_PLACES = 100
N_MERGE_PASSES = 12


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
    label = cluster_roots(roots, around, settings, depth_min, duration_s)
    patterns = mean_patterns(roots, around, label, np.zeros(len(label)), int(label.max(initial=-1)) + 1, None)
    log = [{"clusters": len(patterns.root)}]
    patterns = usable_patterns(patterns, around, limits, settings, n_min=settings["min_coc_n"])
    log.append({"usable": len(patterns.root)})
    n_min = max(settings["min_seq_spikes_n"], settings["min_seq_spikes_hz"] * duration_s)
    patterns, label, shift = _settle(roots, around, patterns, limits, settings, n_min=n_min)
    log.append({"assigned": len(patterns.root)})
    for _ in range(N_MERGE_PASSES):
        target = merge_targets(roots, around, patterns, label, merge_limits, depth_min)
        if np.array_equal(target, np.arange(len(target))):
            break
        used, merged = np.unique(target, return_inverse=True)
        label = np.where(label >= 0, merged[label], -1).astype(np.int32)
        patterns = mean_patterns(roots, around, label, shift, len(used), patterns.root[used])
        patterns, label, shift = _settle(roots, around, patterns, limits, settings, n_min=n_min)
        log.append({"merged": len(patterns.root)})
    return patterns, label, log


def _settle(
    roots: Roots, around: Around, patterns: Patterns, limits: Limits, settings: Mapping[str, Any], *, n_min: float
) -> tuple[Patterns, NDArray[np.int32], NDArray[np.float64]]:
    """Assign all roots twice, with means and roots of the sequences computed in between; the few are dropped."""
    for _ in range(2):
        label, shift = _assigned(roots, around, patterns, limits)
        moved = _relocated(roots, around, patterns, label, shift, settings)
        patterns = usable_patterns(moved, around, limits, settings, n_min=n_min)
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
    means = mean_patterns(roots, around, label, shift, n, patterns.root)
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
    return mean_patterns(roots, around, label, shift + later, n, root)
