"""The end of every clustering: clusters that are no units dropped, those that are one unit joined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..graph.checkpoint import CheckpointedEvents


@dataclass(frozen=True)
class Clustering:
    """Labels of peaks or spikes, and why clusters were joined.

    Attributes
    ----------
    labels
        int32 per peak: 0 to n - 1, -1 for peaks of no cluster (noise, collisions, or beyond the number clustered).
    sample_shift
        int64 per peak, to be added to its ``sample_index``: then all peaks of a cluster are aligned alike.
    decisions
        Records of the pairs of clusters that were considered for merging, with the figures and the reason.
    """

    labels: NDArray[np.int32]
    sample_shift: NDArray[np.int64]
    decisions: NDArray[Any]

    @property
    def n_clusters(self) -> int:
        return int(self.labels.max(initial=-1)) + 1


@dataclass(frozen=True)
class Refractory:
    """Lags at which two trains of one neuron do not meet, and the length of the recording, in samples."""

    duration_samples: int
    refractory_samples: int
    dead_samples: int

    @classmethod
    def of_ms(cls, info: Any, *, refractory_ms: float, dead_ms: float) -> Refractory:
        per_ms = 1e-3 * info.sampling_frequency
        return cls(info.n_samples, round(refractory_ms * per_ms), round(dead_ms * per_ms))


def settle_clusters(
    labels: NDArray[np.int32],
    chosen: NDArray[Any],
    *,
    components: xr.DataArray,
    neighbours: NDArray[np.int32],
    noise: float,
    refractory: Refractory,
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[Any]]:
    """Drop clusters of side peaks, merge those of one shape: labels, sample shifts and the log of merges."""
    from ..kernels import cluster_reconcile as reconcile
    from ..kernels.cluster_shape import cluster_means

    projection, channel = np.ascontiguousarray(chosen["projection"]), np.ascontiguousarray(chosen["channel_index"])
    basis = np.ascontiguousarray(components.values, np.float32)
    means, _ = cluster_means(projection, channel, labels, neighbours)
    labels = reconcile.drop_misaligned(labels, means, basis, peak_sample=int(components.attrs["nbefore"]))
    return reconcile.merge_same_shape(
        labels,
        np.ascontiguousarray(chosen["sample_index"]),
        projection,
        channel,
        neighbours,
        basis,
        noise=noise,
        duration_samples=refractory.duration_samples,
        refractory_samples=refractory.refractory_samples,
        dead_samples=refractory.dead_samples,
    )


def spread_over_all(
    n_peaks: int, rows: NDArray[np.int64], settled: tuple[NDArray[np.int32], NDArray[np.int64], NDArray[Any]]
) -> Clustering:
    """The clustering of all peaks from that of the chosen ``rows``; the others get no label."""
    labels, shift, decisions = settled
    everywhere, shifts = np.full(n_peaks, -1, np.int32), np.zeros(n_peaks, np.int64)
    everywhere[rows], shifts[rows] = labels, shift
    return Clustering(everywhere, shifts, decisions)


def take_records(
    peaks: NDArray[Any] | CheckpointedEvents, fields: tuple[str, ...], rows: NDArray[np.int64] | None = None
) -> NDArray[Any]:
    """Some fields of peaks, in memory or on disk; of the given ascending rows, or of all."""
    if isinstance(peaks, CheckpointedEvents):
        return peaks.load(fields, rows=rows)
    return peaks[list(fields)] if rows is None else peaks[list(fields)][rows]
