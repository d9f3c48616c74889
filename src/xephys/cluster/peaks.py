"""Cluster peaks: overlapping sections of the probe are independent tasks, and their results are reconciled."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .. import schema
from ..calls import operation
from ..checks import check_positive
from ..errors import ParameterError
from ..graph.columns import Records, count_of, load_columns, rows_where
from ..graph.events import run_tasks
from ..per_channel import positions_of
from ..recording.geometry import channel_groups, nearest_channels, separated_positions
from .settle import (
    Clustering,
    Refractory,
    check_fields,
    settle_clusters,
    spread_over_all,
    take_columns,
    thinned_sections,
    without_weak,
)


@operation
def cluster_peaks(
    recording: xr.DataArray,
    peaks: Records,
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
        The recording on which the peaks were projected; only its geometry and length are used, not its samples.
    peaks
        Records with ``sample_index``, ``channel_index`` and ``projection``, in time order. From records on disk, only
        those to be clustered are read.
    components
        The components of the projections.
    feature_noise
        From :func:`estimate_feature_noise`. If None, estimated from the quieter half of the channels of each peak,
        which is too high where all channels see every spike, as on a tetrode.
    n_spikes_min
        Minimum number of peaks of a cluster.
    n_peaks_per_section_max
        In a section with more peaks, this number of them, evenly spread over time, is clustered, and the others get no
        label: clusters only serve to make templates, and matching finds all spikes. A unit there needs proportionally
        more peaks than ``n_spikes_min``: see ``thinned`` of the result.
    core_um, margin_um
        Size of the part of the probe that a section owns, and how far beyond it the section sees.
    refractory_ms, dead_ms
        Two clusters of one shape are taken for one unit unless they coincide too often between these lags.

    Returns
    -------
    Labels, with records of the merges, of the dropped clusters and of the sections that were thinned.

    Raises
    ------
    ParameterError
        If the peaks are not computed or not projected, or the number of channels in the projections does not fit.

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
    from ..kernels.cluster.parts import join_parts, rows_by_label
    from ..kernels.cluster.sections import spatial_sections
    from ..kernels.cluster.shape import cluster_means
    from ..kernels.cluster.split_cluster import cluster_section, split_cluster

    check_positive(n_spikes_min=n_spikes_min, n_peaks_per_section_max=n_peaks_per_section_max)
    if feature_noise is not None:
        check_positive(feature_noise=feature_noise)
    info = schema.validate_recording(recording)
    positions = positions_of(recording, why="clustering")
    neighbors = projected_channels(positions, peaks, components, groups=channel_groups(recording))
    sections = spatial_sections(separated_positions(recording, why="clustering"), core_um=core_um, margin_um=margin_um)
    n_seen, thinned_rows = thinned_members(peaks, sections, info.n_channels, n_max=n_peaks_per_section_max)
    rows = np.unique(np.concatenate(thinned_rows))
    clustered = take_columns(peaks, ("sample_index", "channel_index", "projection"), rows)
    members = [np.searchsorted(rows, of_section) for of_section in thinned_rows]
    projection, channel = clustered["projection"], clustered["channel_index"]
    jobs = [(section, m, neighbors, n_spikes_min) for section, m in zip(sections, members, strict=True)]
    section_labels = run_tasks(cluster_section, jobs, shared=(projection, channel))
    labels = reconcile.join_sections(channel, sections, members, section_labels, n_spikes_min=n_spikes_min)
    noise = reconcile.feature_noise(projection) if feature_noise is None else feature_noise
    means, _ = cluster_means(projection, channel, labels, neighbors)
    parted = part_weak(labels, means, channel, noise=noise, n_spikes_min=n_spikes_min)
    if not np.array_equal(parted, labels):
        labels, (means, _) = parted, cluster_means(projection, channel, parted, neighbors)
    labels, weak = without_weak(labels, means, channel, noise=noise)
    _, cluster_rows = rows_by_label(labels)
    split_jobs = [(of_cluster, neighbors, n_spikes_min) for of_cluster in cluster_rows]
    parts = run_tasks(split_cluster, split_jobs, shared=(projection, channel))
    settled = settle_clusters(
        join_parts(cluster_rows, parts, n_spikes=len(labels)),
        clustered,
        components=components,
        neighbors=neighbors,
        noise=noise,
        refractory=Refractory.of_ms(info, refractory_ms=refractory_ms, dead_ms=dead_ms),
    )
    thinned = thinned_sections(sections, n_seen, [len(of_section) for of_section in thinned_rows], n_spikes_min)
    return replace(spread_over_all(count_of(peaks), rows, settled, weak=weak), thinned=thinned)


def projected_channels(
    positions: NDArray[np.float64],
    peaks: Records,
    components: xr.DataArray,
    *,
    groups: NDArray[np.integer[Any]] | None,
) -> NDArray[np.int32]:
    """Channels on which the peaks of each channel were projected, after checking that they belong to this probe."""
    check_fields(peaks, ("sample_index", "channel_index", "projection"))
    n_slots, n_components = peaks.dtype["projection"].shape
    neighbors = nearest_channels(positions, n_nearest=n_slots, groups=groups)
    if neighbors.shape[1] != n_slots or n_components != components.sizes["component"]:
        raise ParameterError(
            f"the projections are on {n_slots} channels and {n_components} components, which do not fit "
            f"{len(positions)} channels and {components.sizes['component']} components; project the peaks again"
        )
    return neighbors


def thinned_members(
    peaks: Records, sections: list[Any], n_channels: int, *, n_max: int | None
) -> tuple[list[int], list[NDArray[np.int64]]]:
    """Number of peaks within reach of each section, and the rows of at most ``n_max`` of them, evenly spread."""
    from ..kernels.cluster.parts import spread_rows

    (channels,) = load_columns(peaks, channel_index=np.int32)
    n_seen, chosen = [], []
    for section in sections:  # one after another: each peak is within reach of several
        seen = np.zeros(n_channels, bool)
        seen[section.core] = True
        seen[section.margin] = True
        rows = rows_where(seen[channels])
        n_seen.append(len(rows))
        chosen.append((rows if n_max is None else spread_rows(rows, n_max)).astype(np.int64))
    return n_seen, chosen
