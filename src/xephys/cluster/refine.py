"""Refine clusters after matching, which finds more spikes and clears each of the spikes that overlap it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .. import schema
from ..calls import operation
from ..checks import check_positive
from ..errors import ParameterError
from ..graph.columns import Records, load_columns
from ..graph.events import run_tasks
from ..per_channel import positions_of
from ..recording.geometry import channel_groups, nearest_channels
from .settle import (
    Clustering,
    Refractory,
    check_fields,
    no_clusters,
    settle_clusters,
    spread_over_all,
    take_columns,
    without_weak,
)

#: Maximum number of spikes used per unit.
N_SPIKES_PER_UNIT_MAX = 4000


@operation
def refine_clusters(
    recording: xr.DataArray,
    spikes: Records,
    *,
    components: xr.DataArray,
    feature_noise: float,
    n_spikes_min: int = 20,
    norm_min: float = 6.0,
    n_spikes_per_unit_max: int = N_SPIKES_PER_UNIT_MAX,
    refractory_ms: float = 2.0,
    dead_ms: float = 0.5,
) -> Clustering:
    """Split matched units where their spikes leave a gap, and merge units that are one. Computes.

    Matching finds spikes below the detection threshold and, for lack of a better template, assigns those of small
    neighbors to larger units. Once all other spikes are subtracted from each waveform, such spikes form clouds of their
    own.

    Parameters
    ----------
    recording
        The recording on which the spikes were matched; only its geometry and length are used, not its samples.
    spikes
        From :func:`match_templates` with ``components``, in time order. From records on disk, only those that are used
        are read.
    components
        The components of the projections.
    feature_noise
        From :func:`estimate_feature_noise`.
    n_spikes_min
        Minimum number of spikes of a cluster.
    norm_min
        Minimum norm of a cluster's mean projections, in units of the feature noise. Threshold crossings of noise have
        up to 6; below that, the scores of the spikes tell a neuron from noise.
    n_spikes_per_unit_max
        Of a larger unit, this number of spikes, evenly spread over time, is used; the others get no label.
    refractory_ms, dead_ms
        Two clusters of one shape are taken for one unit unless they coincide too often between these lags.

    Returns
    -------
    Labels, with records of splits, merges and dropped clusters.

    Raises
    ------
    ParameterError
        If the spikes have no projections.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> filtered = xephys.bandpass_filter(recording)
    >>> peaks = xephys.detect_peaks(filtered, noise_levels=xephys.estimate_noise_levels(filtered))
    >>> components = xephys.learn_components(filtered, peaks, n_components=3)
    >>> templates = xephys.estimate_templates(
    ...     filtered, truth.spikes[["sample_index", "unit_index"]], peak_channels=truth.peak_channels)
    >>> spikes = xephys.match_templates(filtered, templates=templates, components=components).compute()
    >>> noise = xephys.estimate_feature_noise(filtered, components=components)
    >>> refine_clusters(filtered, spikes, components=components, feature_noise=noise).n_clusters
    2
    """
    from ..kernels.cluster.parts import join_parts, rows_by_label
    from ..kernels.cluster.shape import cluster_means
    from ..kernels.cluster.split_cluster import split_unit

    check_positive(n_spikes_min=n_spikes_min, n_spikes_per_unit_max=n_spikes_per_unit_max)
    check_positive(norm_min=norm_min, feature_noise=feature_noise)
    if "projection" not in (spikes.dtype.names or ()):
        raise ParameterError("the spikes have no projections; match them with components=")
    info = schema.validate_recording(recording)
    check_fields(spikes, ("unit_index",))
    (units,) = load_columns(spikes, unit_index=np.int32)
    numbers, unit_rows = rows_by_label(units, n_max=n_spikes_per_unit_max, n_min=n_spikes_min)
    if not unit_rows:
        return no_clusters(len(units))
    rows = np.sort(np.concatenate(unit_rows))
    used = take_columns(spikes, ("sample_index", "channel_index", "projection"), rows)
    members = [np.searchsorted(rows, of_unit) for of_unit in unit_rows]
    projection, channel = used["projection"], used["channel_index"]
    jobs = [(unit, of_unit, n_spikes_min) for unit, of_unit in zip(numbers.tolist(), members, strict=True)]
    parts, splits = zip(*run_tasks(split_unit, jobs, shared=(projection,)), strict=True)
    labels = join_parts(members, list(parts), n_spikes=len(rows))
    neighbors = nearest_channels(
        positions_of(recording, why="clustering"),
        n_nearest=projection.shape[1],
        groups=channel_groups(recording),
    )
    means, _ = cluster_means(projection, channel, labels, neighbors)
    labels, weak = without_weak(labels, means, channel, noise=feature_noise, norm_min=norm_min)
    settled = settle_clusters(
        labels,
        used,
        components=components,
        neighbors=neighbors,
        noise=feature_noise,
        refractory=Refractory.of_ms(info, refractory_ms=refractory_ms, dead_ms=dead_ms),
    )
    return replace(spread_over_all(len(units), rows, settled, weak=weak), splits=np.concatenate(splits))


def estimated_counts(
    spikes: Records,
    labels: NDArray[np.int32],
    *,
    n_spikes_per_unit_max: int = N_SPIKES_PER_UNIT_MAX,
) -> NDArray[np.float64]:
    """Estimated number of spikes of each cluster of :func:`refine_clusters`, including the spikes that it did not use.

    Examples
    --------
    >>> spikes = np.zeros(12, [("unit_index", "i8")])
    >>> spikes["unit_index"][8:] = 1
    >>> estimated_counts(spikes, np.array([0, -1, 0, -1, 1, -1, 1, -1, 2, 2, 2, 2]), n_spikes_per_unit_max=4).tolist()
    [4.0, 4.0, 4.0]
    """
    from ..kernels.lib.records import count_labels

    (units,) = load_columns(spikes, unit_index=np.int32)
    stands_for = np.maximum(count_labels(units) / n_spikes_per_unit_max, 1.0)
    kept = labels >= 0
    # A spike that no template matched stands only for itself.
    return np.bincount(labels[kept], weights=np.append(stands_for, 1.0)[units[kept]])
