"""Clusters looked at again, once their spikes are matched: more spikes, each without its neighbours."""

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
from .settle import Clustering, Refractory, evenly, settle_clusters, spread_over_all, take_records, without_weak

#: Channels on which a unit's mean has a smaller fraction of the energy of its strongest channel say nothing of it.
REACHED_FRACTION = 0.01
#: A gap that parts a unit (see `split_features`). The spikes are clean and all in one place, so that it may be slighter
#: than the gaps by which peaks are clustered.
MIN_DEPTH, MAX_RATIO = 3.0, 0.8
#: Spikes of a unit that are looked at.
N_SPIKES_PER_UNIT_MAX = 4000
#: Parts of a unit that take turns rather than fire side by side are one neuron that drifts (see `join_turns`).
MAX_TURN_TAKING = 0.4


def refine_clusters(
    recording: xr.DataArray,
    spikes: NDArray[Any] | CheckpointedEvents,
    *,
    components: xr.DataArray,
    feature_noise: float,
    n_spikes_min: int = 20,
    n_spikes_per_unit_max: int = N_SPIKES_PER_UNIT_MAX,
    refractory_ms: float = 2.0,
    dead_ms: float = 0.5,
) -> Clustering:
    """Split matched units where their spikes leave a gap, and merge those that are one. Computes.

    Matching finds spikes below the threshold of detection, and for want of a better template gives those of small
    neighbours to larger units. With each waveform cleaned of all other spikes these show as clouds of their own.

    Parameters
    ----------
    recording
        The recording on which the spikes were matched: its geometry and length are used, not its samples.
    spikes
        From :func:`match_templates` with ``components``, in time order; of records on disk only those that are looked
        at are read.
    components
        The components of the projections.
    feature_noise
        From :func:`estimate_feature_noise`.
    n_spikes_min
        Fewest spikes of a cluster.
    n_spikes_per_unit_max
        Of larger units so many, evenly spread over time, are looked at, and the others get no label.
    refractory_ms, dead_ms
        Two clusters of one shape are one unit unless they coincide too often between these lags.

    Returns
    -------
    Labels and the log of splits, merges and what was dropped.

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
    from ..kernels.cluster.shape import cluster_means

    check_positive(n_spikes_min=n_spikes_min, n_spikes_per_unit_max=n_spikes_per_unit_max, feature_noise=feature_noise)
    if "projection" not in (spikes.dtype.names or ()):
        raise ParameterError("the spikes have no projections; match them with components=")
    info = schema.validate_recording(recording)
    units = take_records(spikes, ("unit_index",))["unit_index"]
    n_units = int(units.max(initial=-1)) + 1
    members = {u: evenly(np.flatnonzero(units == u), n_spikes_per_unit_max) for u in range(n_units)}
    members = {u: rows for u, rows in members.items() if len(rows) >= n_spikes_min}
    if not members:
        return _nothing(len(units))
    rows = np.sort(np.concatenate(list(members.values())))
    chosen = take_records(spikes, ("sample_index", "channel_index", "projection"), rows)
    jobs = [(np.searchsorted(rows, unit), n_spikes_min) for unit in members.values()]
    projection = np.ascontiguousarray(chosen["projection"])
    labels, n_labels = np.full(len(rows), -1, np.int32), 0
    split = run_tasks(split_unit, jobs, shared=(projection,), label="split_unit")
    for unit, (own, _), (parts, evidence) in zip(members, jobs, split, strict=True):
        evidence["unit"] = unit
        labels[own] = np.where(parts >= 0, parts + n_labels, -1)
        n_labels += int(parts.max()) + 1
    channel = np.ascontiguousarray(chosen["channel_index"])
    neighbours = nearest_channels(schema.positions_of(recording, why="clustering"), n_nearest=projection.shape[1])
    means, _ = cluster_means(projection, channel, labels, neighbours)
    labels, weak = without_weak(labels, means, channel, noise=feature_noise)
    settled = settle_clusters(
        labels,
        chosen,
        components=components,
        neighbours=neighbours,
        noise=feature_noise,
        refractory=Refractory.of_ms(info, refractory_ms=refractory_ms, dead_ms=dead_ms),
    )
    splits = np.concatenate([evidence for _, evidence in split])
    return replace(spread_over_all(len(units), rows, settled, weak=weak), splits=splits)


def split_unit(
    projection: NDArray[np.float32], rows: NDArray[np.int64], n_spikes_min: int
) -> tuple[NDArray[np.int32], NDArray[np.void]]:
    """Labels of the parts of one unit on the channels that its mean reaches, and what lies between them: the task of
    :func:`refine_clusters`.
    """
    from ..kernels.cluster.split import split_evidence, split_features
    from ..kernels.cluster.turns import join_turns

    own = projection[rows]
    energy = (own.mean(axis=0, dtype=np.float64) ** 2).sum(axis=1)
    reached = energy >= REACHED_FRACTION * energy.max()
    features = np.ascontiguousarray(own[:, reached].reshape(len(rows), -1))
    gap = {"min_depth": MIN_DEPTH, "max_ratio": MAX_RATIO}
    parts = split_features(features, min_spikes=n_spikes_min, halve=True, **gap)
    parts = join_turns(parts, max_turn_taking=MAX_TURN_TAKING)
    return parts, split_evidence(features, parts, **gap)


def estimated_counts(
    spikes: NDArray[Any] | CheckpointedEvents,
    labels: NDArray[np.int32],
    *,
    n_spikes_per_unit_max: int = N_SPIKES_PER_UNIT_MAX,
) -> NDArray[np.float64]:
    """Spikes of each cluster of :func:`refine_clusters`, those that it did not look at included.

    Examples
    --------
    >>> spikes = np.zeros(12, [("unit_index", "i8")])
    >>> spikes["unit_index"][8:] = 1
    >>> estimated_counts(spikes, np.array([0, -1, 0, -1, 1, -1, 1, -1, 2, 2, 2, 2]), n_spikes_per_unit_max=4).tolist()
    [4.0, 4.0, 4.0]
    """
    units = take_records(spikes, ("unit_index",))["unit_index"]
    stands_for = np.maximum(np.bincount(units) / n_spikes_per_unit_max, 1.0)
    kept = labels >= 0
    return np.bincount(labels[kept], weights=stands_for[units[kept]])


def _nothing(n_spikes: int) -> Clustering:
    from ..kernels.cluster.reconcile import DECISION

    return Clustering(np.full(n_spikes, -1, np.int32), np.zeros(n_spikes, np.int64), np.empty(0, DECISION))
