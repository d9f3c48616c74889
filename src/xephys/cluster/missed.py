"""Cluster what matching leaves: units that the first clustering did not find."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import xarray as xr

from ..graph.checkpoint import StoredRecords
from ..graph.columns import load_columns, rows_where
from ..match.selected import SelectedRecords
from .peaks import cluster_peaks
from .settle import Clustering, no_clusters, spread_over_all, take_records

#: A peak within this time of a spike accompanies it; a cluster with a larger share of such peaks is a unit's residual.
ECHO_MS, ECHO_SHARE_MAX = 1.0, 0.5
#: It is kept after all if the spikes are at most this share of the unit's spikes and of another shape: the cosine
#: between their mean waveform and that of the unit's other spikes (at most this many are averaged) is at most this.
TAKEN_SHARE_MAX, LIKENESS_MAX, N_SPIKES_COMPARED = 0.25, 0.95, 1000


def cluster_missed(
    recording: xr.DataArray,
    spikes: StoredRecords,
    *,
    components: xr.DataArray,
    feature_noise: float,
    n_spikes_min: int = 20,
    n_peaks_per_section_max: int = 30_000,
) -> Clustering:
    """Cluster the peaks that no template explains. Computes.

    Peaks that accompany the spikes of one unit, because its waveform varies, are not a unit of their own and are
    dropped. If the spikes that they accompany have another shape than the rest, the template took them from a neuron
    without a template; these spikes then form a cluster.

    Parameters
    ----------
    recording, components, feature_noise, n_spikes_min, n_peaks_per_section_max
        As for :func:`xephys.cluster_peaks`.
    spikes
        From :func:`xephys.match.leftover.match_and_look`, on disk; those that belong to no unit are clustered.

    Returns
    -------
    As for :func:`xephys.cluster_peaks`. Spikes of units have no label, except those taken from another neuron.
    """
    from ..kernels.cluster.drop import dropped_clusters
    from ..kernels.cluster.echoes import echoes, mean_likeness, spikes_that_left
    from ..kernels.cluster.parts import spread_rows

    (matched,) = load_columns(spikes, unit_index=np.int32)
    rows = np.flatnonzero(matched < 0)
    if len(rows) < n_spikes_min:
        return no_clusters(spikes.count)
    found = cluster_peaks(
        recording,
        SelectedRecords(spikes, rows),
        components=components,
        feature_noise=feature_noise,
        n_spikes_min=n_spikes_min,
        n_peaks_per_section_max=n_peaks_per_section_max,
    )
    clustered, of_units = found.labels >= 0, matched >= 0
    (samples,) = load_columns(spikes, sample_index=np.int64)
    peaks = samples[rows]
    window_samples = round(ECHO_MS * 1e-3 * float(recording.attrs["sampling_frequency"]))
    shares, units = echoes(
        peaks[clustered],
        found.labels[clustered],
        samples[of_units],
        matched[of_units],
        window_samples=window_samples,
        duration_samples=recording.sizes["time"],
    )
    is_new = shares <= ECHO_SHARE_MAX
    number = np.append(np.where(is_new, np.cumsum(is_new) - 1, -1), -1)
    labels = np.where(clustered, number[found.labels], -1).astype(np.int32)
    channel = take_records(SelectedRecords(spikes, rows), ("channel_index",))["channel_index"]
    left = dropped_clusters(found.labels, labels, channel, reason="what a unit's template leaves")
    clustering = spread_over_all(spikes.count, rows, replace(found, labels=labels), weak=left)
    n_clusters = int(is_new.sum())
    for cluster in np.flatnonzero(~is_new):
        own = rows_where(matched == units[cluster])
        left_by = spikes_that_left(peaks[found.labels == cluster], samples[own], window_samples=window_samples)
        if n_spikes_min <= len(left_by) <= TAKEN_SHARE_MAX * len(own):
            others = spread_rows(np.delete(own, left_by), N_SPIKES_COMPARED)
            taken, rest = (take_records(spikes, ("projection",), of)["projection"] for of in (own[left_by], others))
            if mean_likeness(taken, rest) <= LIKENESS_MAX:
                clustering.labels[own[left_by]] = n_clusters
                n_clusters += 1
    return clustering


def with_missed(clustering: Clustering, missed: Clustering) -> Clustering:
    """Combine two clusterings of the same records; the clusters of ``missed`` are numbered after the others.

    A cluster of which ``missed`` takes every spike is gone.

    Examples
    --------
    >>> known, missed = no_clusters(3), no_clusters(3)
    >>> known.labels[0], missed.labels[2] = 0, 0
    >>> with_missed(known, missed).labels.tolist()
    [0, -1, 1]
    """
    labels = np.where(missed.labels >= 0, missed.labels + np.int32(clustering.n_clusters), clustering.labels)
    clustered = labels >= 0
    labels[clustered] = np.unique(labels[clustered], return_inverse=True)[1]
    return replace(clustering, labels=labels, sample_shift=clustering.sample_shift + missed.sample_shift)
