"""Split one section, one cluster or one matched unit, each on the channels that suit it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.cluster.sections import gather_features, section_channels
from xephys.kernels.cluster.split import split_evidence, split_features
from xephys.kernels.metrics.turns import join_turns

#: Peak channels that hold a smaller fraction of a cluster's peaks do not limit the channels used to split it.
USUAL_FRACTION = 0.05
#: Channels with a smaller fraction of the energy of a mean's strongest channel are not used.
REACHED_FRACTION = 0.01
#: Limits of a gap that splits a unit (see `split_features`). Its spikes are clean and all in one place, so the gap may
#: be less pronounced than those by which peaks are clustered.
MIN_DEPTH, MAX_RATIO = 3.0, 0.8
#: Parts of a unit that take turns instead of firing side by side are one drifting neuron (see `join_turns`).
MAX_TURN_TAKING = 0.4


def cluster_section(
    projection: NDArray[np.float32],
    channel: NDArray[np.int64],
    section: Any,
    rows: NDArray[np.int64],
    neighbors: NDArray[np.int32],
    n_spikes_min: int,
) -> NDArray[np.int32]:
    """Split the peaks of one section on the channels that all of them share.

    Parameters
    ----------
    projection : (n_peaks, n_slots, n_components) float32
    channel : (n_peaks,) int64
        Peak channel of each.
    section : Section
    rows : (n,) int64
        Peaks of the section.
    neighbors : (n_channels, n_slots) int32
        Channels on which a peak with each peak channel is projected.
    n_spikes_min : int
        Minimum size of a cluster.

    Returns
    -------
    labels : (n,) int32
        Labels from `split_features`.
    """

    _, slots = section_channels(section, neighbors)
    return split_features(gather_features(projection[rows], channel[rows], slots), n_spikes_min=n_spikes_min)


def split_cluster(
    projection: NDArray[np.float32],
    channel: NDArray[np.int64],
    rows: NDArray[np.int64],
    neighbors: NDArray[np.int32],
    n_spikes_min: int,
) -> NDArray[np.int32]:
    """Split one cluster on the channels that its own peaks share.

    A section is split on the few channels that all its peaks share, where two neurons may look alike. The peaks of one
    cluster share more channels. The direction of their mean is left out, because amplitudes vary and the widest axis of
    a cluster can hide the gap between two shapes. Parts that differ only by amplitude or delay are merged afterwards.

    Parameters
    ----------
    projection : (n_peaks, n_slots, n_components) float32
    channel : (n_peaks,) int64
        Peak channel of each.
    rows : (n,) int64
        Peaks of the cluster.
    neighbors : (n_channels, n_slots) int32
        Channels on which a peak with each peak channel is projected.
    n_spikes_min : int
        Minimum size of a part.

    Returns
    -------
    labels : (n,) int32
        0 for all if there is one part; otherwise, -1 for peaks without a part.
    """

    peak_channels = channel[rows]
    distinct, counts = np.unique(peak_channels, return_counts=True)
    usual = distinct[counts >= USUAL_FRACTION * len(rows)]
    inside = np.flatnonzero(np.isin(peak_channels, usual))
    around, counts = np.unique(neighbors[usual], return_counts=True)
    common = around[(counts == len(usual)) & (around >= 0)]
    labels = np.zeros(len(rows), np.int32)
    if not len(common):
        return labels
    slots = np.full((len(neighbors), len(common)), -1, np.int32)
    for column in range(neighbors.shape[1]):
        slots[neighbors[:, column][:, None] == common[None, :]] = column
    features = gather_features(projection[rows[inside]], peak_channels[inside], slots).astype(np.float64)
    mean = features.mean(axis=0)
    energy = (mean.reshape(len(common), -1) ** 2).sum(axis=1)
    reached = np.repeat(energy >= REACHED_FRACTION * energy.max(), projection.shape[2])
    features, mean = features[:, reached], mean[reached]
    features -= np.outer(features @ mean / max(float(mean @ mean), 1e-12), mean)
    parts = split_features(features.astype(np.float32), n_spikes_min=n_spikes_min)
    if parts.max() > 0:
        labels[:] = -1
        labels[inside] = parts
    return labels


def split_unit(
    projection: NDArray[np.float32], unit: int, rows: NDArray[np.int64], n_spikes_min: int
) -> tuple[NDArray[np.int32], NDArray[np.void]]:
    """Split the spikes of one matched unit on the channels that its mean reaches.

    Parameters
    ----------
    projection : (n_spikes, n_slots, n_components) float32
    unit : int
        Number of the unit, for the records.
    rows : (n,) int64
        Spikes of the unit.
    n_spikes_min : int
        Minimum size of a part.

    Returns
    -------
    labels : (n,) int32
        Labels from `split_features`, with parts that take turns joined.
    splits : structured array of dtype `SPLIT`
        What separates the parts.
    """

    waveforms = projection[rows]
    energy = (waveforms.mean(axis=0, dtype=np.float64) ** 2).sum(axis=1)
    reached = energy >= REACHED_FRACTION * energy.max()
    features = np.ascontiguousarray(waveforms[:, reached].reshape(len(rows), -1))
    parts = split_features(features, n_spikes_min=n_spikes_min, halve=True, depth_min=MIN_DEPTH, ratio_max=MAX_RATIO)
    parts = join_turns(parts, turn_taking_max=MAX_TURN_TAKING)
    splits = split_evidence(features, parts, depth_min=MIN_DEPTH, ratio_max=MAX_RATIO)
    splits["unit"] = unit
    return parts, splits
