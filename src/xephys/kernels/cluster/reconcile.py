"""Reconcile the clusters of overlapping sections into one label per spike, and merge copies of a shape."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.cluster.drop import relabel
from xephys.kernels.cluster.sections import Section
from xephys.kernels.cluster.shape import cluster_means, shape_residual, shift_operators
from xephys.kernels.lib.constants import MAD_OF_NORMAL
from xephys.kernels.metrics.spike_trains import are_two_neurons, coincidences

DECISION = np.dtype(
    [
        ("first", np.int32),
        ("second", np.int32),
        ("residual", np.float64),
        ("scale", np.float64),
        ("shift", np.float64),
        ("observed", np.int64),
        ("expected", np.float64),
        ("merged", np.bool_),
        ("reason", "U40"),
    ]
)
"""One compared pair of clusters: the evidence and the decision."""


def join_sections(
    channel_index: NDArray[np.int64],
    sections: Sequence[Section],
    spikes: Sequence[NDArray[np.int64]],
    labels: Sequence[NDArray[np.int32]],
    *,
    n_spikes_min: int = 20,
    new_fraction_min: float = 0.5,
) -> NDArray[np.int32]:
    """One label per spike from clusters found in sections that share spikes.

    Both sections find a unit near their border. The section whose core holds most of its spikes keeps it. A cluster
    most of whose spikes have already been claimed is the other section's view of the same unit, and is dropped.

    Parameters
    ----------
    channel_index : (n_spikes,) int64
        Peak channels of all spikes.
    sections : list of Section
    spikes : list of (m,) int64
        Spikes that each section has seen.
    labels : list of (m,) int32
        Their clusters in that section, −1 for none.
    n_spikes_min : int
        Minimum number of unclaimed spikes for a cluster to be kept.
    new_fraction_min : float
        Minimum fraction of unclaimed spikes for a cluster to be kept.

    Returns
    -------
    labels : (n_spikes,) int32
        0, 1, … in order of sections, then of clusters in them; −1 for none.

    Examples
    --------
    >>> import numpy as np
    >>> sections = [Section(np.array([0]), np.array([1])), Section(np.array([1]), np.array([0]))]
    >>> seen = np.arange(4)
    >>> found = [np.zeros(4, np.int32), np.zeros(4, np.int32)]
    >>> join_sections(np.array([0, 0, 0, 1]), sections, [seen, seen], found, n_spikes_min=2)
    array([0, 0, 0, 0], dtype=int32)
    """
    claims: list[tuple[bool, float, int, int]] = []
    members: dict[tuple[int, int], NDArray[np.int64]] = {}
    for s, section in enumerate(sections):
        own = np.isin(channel_index[spikes[s]], section.core)
        for cluster in range(int(labels[s].max(initial=-1)) + 1):
            inside = labels[s] == cluster
            n_own = int(own[inside].sum())
            members[s, cluster] = spikes[s][inside]
            claims.append((2 * n_own <= int(inside.sum()), -n_own, s, cluster))
    joined = np.full(len(channel_index), -1, np.int32)
    kept: list[tuple[int, int]] = []
    for _, _, s, cluster in sorted(claims):
        claimed = members[s, cluster]
        free = claimed[joined[claimed] < 0]
        if len(free) < max(n_spikes_min, new_fraction_min * len(claimed)):
            continue
        joined[free] = len(kept)
        kept.append((s, cluster))
    rank = np.empty(len(kept) + 1, np.int32)
    rank[-1] = -1
    rank[np.array(sorted(range(len(kept)), key=lambda k: kept[k]), np.intp)] = np.arange(len(kept), dtype=np.int32)
    return rank[joined]


def feature_noise(projection: NDArray[np.float32]) -> float:
    """Standard deviation of one feature in the absence of spikes.

    Computed by the median absolute value from the half of each spike's channels with the lowest energy, most of which
    are too far from the unit to see it.

    Parameters
    ----------
    projection : (n_spikes, k, n_components) float32

    Returns
    -------
    noise : float
        1 without spikes. On one or two channels it is an underestimate.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).standard_normal((500, 8, 5)).astype("float32")
    >>> 0.8 < feature_noise(x) < 1.0
    True
    """
    sample = projection[:: max(1, len(projection) // 20_000)]
    if sample.size == 0:
        return 1.0
    energy = (sample.astype(np.float64) ** 2).sum(axis=2)
    quiet = np.argsort(energy, axis=1, kind="stable")[:, : max(1, sample.shape[1] // 2)]
    values = np.take_along_axis(sample, quiet[:, :, None], axis=1)
    return float(np.median(np.abs(values)) / MAD_OF_NORMAL)


def merge_same_shape(
    labels: NDArray[np.int32],
    sample_index: NDArray[np.int64],
    projection: NDArray[np.float32],
    channel_index: NDArray[np.int64],
    neighbors: NDArray[np.int32],
    basis: NDArray[np.float32],
    *,
    noise: float,
    duration_samples: int,
    refractory_samples: int,
    dead_samples: int,
    residual_max: float = 0.25,
    scale_min: float = 0.5,
    shift_samples_max: float = 10.0,
    known: tuple[NDArray[np.float64], NDArray[np.bool_]] | None = None,
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.void]]:
    """Merge clusters whose means differ only by scale and delay, unless their spike trains forbid it.

    Besides sampling phases and bursts, this finds units whose largest channel varies: detected now on one channel, now
    on another, their spikes are aligned to two different times.

    Parameters
    ----------
    labels : (n_spikes,) int32
    sample_index, channel_index : (n_spikes,) int64
        Spikes in order of time.
    projection : (n_spikes, k, n_components) float32
    neighbors : (n_channels, k) int32
    basis : (n_components, n_samples) float32
        The temporal components of ``projection``.
    noise : float
        Standard deviation of a feature without spikes; its contribution to the difference of means is discounted.
    duration_samples, refractory_samples, dead_samples : int
        For the coincidences, see `quality.coincidences`. A pair that coincides more than 0.3 times as often as
        independent trains is not one unit.
    residual_max : float
        Maximum residual, as a fraction of the smaller mean's norm, for clusters of one size. It falls with the ratio of
        sizes: a copy of another size has to fit better.
    scale_min : float
        Minimum ratio of sizes.
    shift_samples_max : float
        Maximum delay, tried in quarters of a sample.
    known
        What `cluster_means` gives for these labels, if it has been computed.

    Returns
    -------
    labels : (n_spikes,) int32
    sample_shift : (n_spikes,) int64
        To be added to ``sample_index`` so that all spikes of a cluster are aligned.
    decisions : structured array of dtype `DECISION`
        Every pair with similar shapes.
    """
    means, measured = cluster_means(projection, channel_index, labels, neighbors) if known is None else known
    n_clusters = len(means)
    shifts = np.arange(-shift_samples_max, shift_samples_max + 0.125, 0.25)
    operators = shift_operators(basis, shifts)
    sizes = np.bincount(labels[labels >= 0], minlength=n_clusters)
    energy = (means**2).sum(axis=2)
    total = energy.sum(axis=1)
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], np.arange(n_clusters + 1))
    trains = [np.sort(sample_index[order[starts[c] : starts[c + 1]]]) for c in range(n_clusters)]
    shared_energy = energy @ measured.T.astype(np.float64)
    amplitude = np.sqrt(energy)
    overlap = amplitude @ amplitude.T / np.maximum(np.sqrt(total[:, None] * total[None, :]), 1e-12)
    covered = shared_energy / np.maximum(total[:, None], 1e-12)
    # The cosine of the spatial envelopes bounds that of the waveforms and rules out most pairs.
    alike = (overlap >= 0.8) & (covered >= 0.7) & (covered.T >= 0.7)
    pairs: list[tuple[float, float, float, int, int]] = []
    for a, b in np.argwhere(np.triu(alike, 1)).tolist():
        both = measured[a] & measured[b]
        large, small = (a, b) if total[a] >= total[b] else (b, a)
        residual, scale, best = shape_residual(means[large][both], means[small][both], operators, scale_min=scale_min)
        spread = both.sum() * basis.shape[0] * noise**2 * (scale**2 / sizes[large] + 1.0 / sizes[small])
        residual = float(np.sqrt(max(0.0, residual**2 - spread / max(total[small], 1e-12))))
        if residual <= 2.0 * residual_max:
            pairs.append((residual, scale, float(shifts[best]), large, small))
    decisions = np.zeros(len(pairs), DECISION)
    parent = np.arange(n_clusters, dtype=np.int32)
    offset = np.zeros(n_clusters)
    for row, (residual, scale, shift, large, small) in enumerate(sorted(pairs)):
        first, second = int(parent[large]), int(parent[small])
        # Delay between the two groups in their current alignment.
        delay = shift + offset[large] - offset[small]
        aligned = trains[second] + round(delay)
        observed, expected = coincidences(
            trains[first],
            aligned,
            refractory_samples=refractory_samples,
            dead_samples=dead_samples,
            duration_samples=duration_samples,
        )
        merged = False
        if first == second:
            reason = "already one"
        elif residual > residual_max * min(scale, 1.0 / scale):
            reason = "shape differs"
        elif are_two_neurons(observed, expected):
            reason = "coincide within the refractory period"
        else:
            merged, reason = True, "same shape"
            trains[first] = np.sort(np.concatenate([trains[first], aligned]))
            moved = parent == second
            offset[moved] += delay
            parent[moved] = first
        decisions[row] = (large, small, residual, scale, shift, observed, expected, merged, reason)
    sample_shift = np.append(np.rint(offset).astype(np.int64), 0)[labels]
    return relabel(labels, parent), sample_shift, decisions
