"""Clustering of peaks: overlapping sections of the probe as independent tasks, reconciled afterwards."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .. import schema
from ..checks import check_positive
from ..errors import ParameterError
from ..graph.checkpoint import CheckpointedEvents
from ..graph.events import run_tasks
from ..recording.geometry import nearest_channels
from .settle import (
    Clustering,
    Refractory,
    evenly,
    settle_clusters,
    spread_over_all,
    take_records,
    thinned_sections,
    without_weak,
)

#: Peak channels with a smaller fraction of a cluster's peaks do not limit the channels on which it is looked at.
USUAL_FRACTION = 0.05
#: Channels on which a cluster's mean has a smaller fraction of the energy of its strongest channel say nothing of it.
REACHED_FRACTION = 0.01


def cluster_peaks(
    recording: xr.DataArray,
    peaks: NDArray[Any] | CheckpointedEvents,
    *,
    components: xr.DataArray,
    feature_noise: float | None = None,
    n_spikes_min: int = 20,
    n_peaks_per_section_max: int = 30_000,
    core_um: float = 40.0,
    margin_um: float = 30.0,
    refractory_ms: float = 2.0,
    dead_ms: float = 0.5,
) -> Clustering:
    """Cluster peaks by their projected waveforms. Computes.

    Parameters
    ----------
    recording
        The recording on which the peaks were projected: its geometry and length are used, not its samples.
    peaks
        Records with ``sample_index``, ``channel_index`` and ``projection``, in time order; of records on disk only
        those that are clustered are read.
    components
        The components of the projections.
    feature_noise
        From :func:`estimate_feature_noise`. If None, from the quieter half of the channels of each peak, which is too
        much where all channels see every spike, as on a tetrode.
    n_spikes_min
        Fewest peaks of a cluster.
    n_peaks_per_section_max
        Where a section has more peaks, this many, evenly spread over time, are clustered, and the others get no label:
        a clustering is for templates, and matching finds all spikes. A unit there needs as many times more peaks than
        ``n_spikes_min`` as there are peaks for each that is clustered: see ``thinned`` of the result.
    core_um, margin_um
        Size of the part of the probe that a section owns, and how far it sees beyond.
    refractory_ms, dead_ms
        Two clusters of one shape are one unit unless they coincide too often between these lags.

    Returns
    -------
    Labels and the log of merges, of what was dropped and of sections that were thinned.

    Raises
    ------
    ParameterError
        If the projections were made on other channels than their number says.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> filtered = xephys.bandpass_filter(recording)
    >>> peaks = xephys.detect_peaks(filtered, noise_levels=xephys.estimate_noise_levels(filtered))
    >>> components = xephys.learn_components(filtered, peaks, n_components=3)
    >>> peaks = xephys.project_peaks(filtered, peaks, components=components).compute()
    >>> cluster_peaks(filtered, peaks, components=components).n_clusters >= 1
    True
    """
    from ..kernels.cluster import reconcile as reconcile
    from ..kernels.cluster.drop import part_weak
    from ..kernels.cluster.sections import spatial_sections
    from ..kernels.cluster.shape import cluster_means

    check_positive(n_spikes_min=n_spikes_min, n_peaks_per_section_max=n_peaks_per_section_max)
    if feature_noise is not None:
        check_positive(feature_noise=feature_noise)
    info = schema.validate_recording(recording)
    positions = schema.positions_of(recording, why="clustering")
    neighbours = projected_channels(positions, peaks, components)
    sections = spatial_sections(positions, core_um=core_um, margin_um=margin_um)
    all_channels = take_records(peaks, ("channel_index",))["channel_index"]
    seen = [section_members(all_channels, s, info.n_channels) for s in sections]
    wanted = [evenly(rows, n_peaks_per_section_max) for rows in seen]
    rows = np.unique(np.concatenate(wanted))
    chosen = take_records(peaks, ("sample_index", "channel_index", "projection"), rows)
    members = [np.searchsorted(rows, w) for w in wanted]
    projection, channel = np.ascontiguousarray(chosen["projection"]), np.ascontiguousarray(chosen["channel_index"])
    jobs = [(section, m, neighbours, n_spikes_min) for section, m in zip(sections, members, strict=True)]
    found = run_tasks(cluster_section, jobs, shared=(projection, channel), label="cluster_section")
    labels = reconcile.join_sections(channel, sections, members, found, min_spikes=n_spikes_min)
    noise = reconcile.feature_noise(projection) if feature_noise is None else feature_noise
    means, _ = cluster_means(projection, channel, labels, neighbours)
    labels = part_weak(labels, means, channel, noise=noise, min_spikes=n_spikes_min)
    means, _ = cluster_means(projection, channel, labels, neighbours)
    labels, weak = without_weak(labels, means, channel, noise=noise)
    labels = _split_clusters(projection, channel, labels, neighbours, n_spikes_min)
    settled = settle_clusters(
        labels,
        chosen,
        components=components,
        neighbours=neighbours,
        noise=noise,
        refractory=Refractory.of_ms(info, refractory_ms=refractory_ms, dead_ms=dead_ms),
    )
    thinned = thinned_sections(sections, seen, wanted, n_spikes_min)
    return replace(spread_over_all(len(all_channels), rows, settled, weak=weak), thinned=thinned)


def cluster_section(
    projection: NDArray[np.float32],
    channel: NDArray[np.int64],
    section: Any,
    rows: NDArray[np.int64],
    neighbours: NDArray[np.int32],
    n_spikes_min: int,
) -> NDArray[np.int32]:
    """Labels of the peaks of one section: the task of :func:`cluster_peaks`."""
    from ..kernels.cluster.sections import gather_features, section_channels
    from ..kernels.cluster.split import split_features

    _, slots = section_channels(section, neighbours)
    return split_features(gather_features(projection[rows], channel[rows], slots), min_spikes=n_spikes_min)


def split_cluster(
    projection: NDArray[np.float32],
    channel: NDArray[np.int64],
    rows: NDArray[np.int64],
    neighbours: NDArray[np.int32],
    n_spikes_min: int,
) -> NDArray[np.int32]:
    """Labels of the parts of one cluster, looked at on its own channels.

    A section is split on the few channels that all its peaks share, and there two neurons may look alike. The peaks
    of one cluster share more. The direction of their mean is left out: amplitudes vary, and the widest axis of a
    cluster can hide the gap between two shapes. Parts that differ by amplitude or delay alone are merged afterwards.
    """
    from ..kernels.cluster.sections import gather_features
    from ..kernels.cluster.split import split_features

    here = channel[rows]
    seen, counts = np.unique(here, return_counts=True)
    usual = seen[counts >= USUAL_FRACTION * len(rows)]
    inside = np.flatnonzero(np.isin(here, usual))
    around, counts = np.unique(neighbours[usual], return_counts=True)
    common = around[(counts == len(usual)) & (around >= 0)]
    labels = np.zeros(len(rows), np.int32)
    if not len(common):
        return labels
    slots = np.full((len(neighbours), len(common)), -1, np.int32)
    for column in range(neighbours.shape[1]):
        slots[neighbours[:, column][:, None] == common[None, :]] = column
    own = gather_features(projection[rows[inside]], here[inside], slots).astype(np.float64)
    mean = own.mean(axis=0)
    energy = (mean.reshape(len(common), -1) ** 2).sum(axis=1)
    reached = np.repeat(energy >= REACHED_FRACTION * energy.max(), projection.shape[2])
    own, mean = own[:, reached], mean[reached]
    own -= np.outer(own @ mean / max(float(mean @ mean), 1e-12), mean)
    parts = split_features(own.astype(np.float32), min_spikes=n_spikes_min)
    if parts.max() > 0:
        labels[:] = -1
        labels[inside] = parts
    return labels


def _split_clusters(
    projection: NDArray[np.float32],
    channel: NDArray[np.int64],
    labels: NDArray[np.int32],
    neighbours: NDArray[np.int32],
    n_spikes_min: int,
) -> NDArray[np.int32]:
    """Every cluster through :func:`split_cluster`, numbered anew."""
    rows = [np.flatnonzero(labels == cluster) for cluster in range(int(labels.max(initial=-1)) + 1)]
    jobs = [(r, neighbours, n_spikes_min) for r in rows]
    split, n_labels = np.full(len(labels), -1, np.int32), 0
    for r, parts in zip(
        rows, run_tasks(split_cluster, jobs, shared=(projection, channel), label="split_cluster"), strict=True
    ):
        split[r] = np.where(parts >= 0, parts + n_labels, -1)
        n_labels += int(parts.max()) + 1
    return split


def projected_channels(
    positions: NDArray[np.float64], peaks: NDArray[Any] | CheckpointedEvents, components: xr.DataArray
) -> NDArray[np.int32]:
    """Channels on which peaks on each channel were projected, once it is sure that they were on this probe."""
    n_slots, n_components = peaks.dtype["projection"].shape
    neighbours = nearest_channels(positions, n_nearest=n_slots)
    if neighbours.shape[1] != n_slots or n_components != components.sizes["component"]:
        raise ParameterError(
            f"the projections are on {n_slots} channels and {n_components} components, which do not fit "
            f"{len(positions)} channels and {components.sizes['component']} components; project the peaks again"
        )
    return neighbours


def section_members(channel: NDArray[np.int64], section: Any, n_channels: int) -> NDArray[np.int64]:
    """Rows of the peaks that a section sees."""
    seen = np.zeros(n_channels, bool)
    seen[section.core] = True
    seen[section.margin] = True
    return np.flatnonzero(seen[channel])
