"""The last step of every clustering: drop clusters that are not units, and merge those that are one unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..errors import ParameterError
from ..graph.columns import Records, count_of, rows_where
from ..graph.events import SpikeTable
from ..graph.keep.archive import storable


def _none_dropped() -> NDArray[Any]:
    from ..kernels.cluster.drop import DROPPED

    return np.empty(0, DROPPED)


def _no_splits() -> NDArray[Any]:
    from ..kernels.cluster.split import SPLIT

    return np.empty(0, SPLIT)


#: Number of records that are read at a time to be put into columns.
N_RECORDS_AT_A_TIME = 1 << 15
#: A clustered peak as a spike of its unit.
SPIKE = np.dtype([("sample_index", "<i8"), ("channel_index", "<i8"), ("unit_index", "<i8")])
#: A section in which only some peaks are clustered: their number, and the smallest unit, in spikes, that can be found.
THINNED = np.dtype(
    [
        ("channel_index", np.int64),
        ("num_peaks", np.int64),
        ("num_clustered", np.int64),
        ("num_spikes_min", np.int64),
        ("reason", "U48"),
    ]
)


@storable
@dataclass(frozen=True)
class Clustering:
    """Labels of peaks or spikes, and the decisions behind them.

    Attributes
    ----------
    labels
        int32 per peak: 0 to n - 1, or -1 for peaks without a cluster (noise, collisions, or beyond the number
        clustered).
    sample_shift
        int64 per peak, to be added to its ``sample_index`` so that all peaks of a cluster are aligned.
    decisions
        Records of the pairs of clusters considered for merging, with the figures and the reason.
    dropped
        Records of the clusters that are not units, with the reason; numbered as before the merges.
    splits
        Records of the splits of matched units, with what separates the parts; numbered as before any cluster was
        dropped.
    thinned
        Records of the sections in which only some peaks were clustered.
    """

    labels: NDArray[np.int32]
    sample_shift: NDArray[np.int64]
    decisions: NDArray[Any]
    dropped: NDArray[Any] = field(default_factory=_none_dropped)
    splits: NDArray[Any] = field(default_factory=_no_splits)
    thinned: NDArray[Any] = field(default_factory=lambda: np.empty(0, THINNED))

    @property
    def n_clusters(self) -> int:
        return int(self.labels.max(initial=-1)) + 1

    def spikes(self, peaks: Records) -> NDArray[Any]:
        """The clustered peaks as spikes of units, aligned within each cluster, in time order.

        Parameters
        ----------
        peaks
            The peaks that were clustered, as computed records or on disk.

        Returns
        -------
        Records with ``sample_index``, ``unit_index`` (the label) and ``channel_index``, ready for
        :func:`xephys.estimate_templates` and :func:`xephys.make_sorting`.
        """
        check_fields(peaks, ("sample_index", "channel_index"))
        if count_of(peaks) != len(self.labels):
            raise ParameterError(f"{count_of(peaks)} peaks are given and {len(self.labels)} were clustered; give these")
        kept = rows_where(self.labels >= 0)
        found = take_records(peaks, ("sample_index", "channel_index"), kept)
        spikes = np.zeros(len(kept), SPIKE)
        spikes["sample_index"] = found["sample_index"] + self.sample_shift[kept]
        spikes["channel_index"] = found["channel_index"]
        spikes["unit_index"] = self.labels[kept]
        return spikes[np.argsort(spikes["sample_index"], kind="stable")]


@dataclass(frozen=True)
class Refractory:
    """Lags within which spikes of one neuron do not follow each other, and the length of the recording, in samples."""

    duration_samples: int
    refractory_samples: int
    dead_samples: int

    @classmethod
    def of_ms(cls, info: Any, *, refractory_ms: float, dead_ms: float) -> Refractory:
        per_ms = 1e-3 * info.sampling_frequency
        return cls(info.n_samples, round(refractory_ms * per_ms), round(dead_ms * per_ms))


def settle_clusters(
    labels: NDArray[np.int32],
    chosen: NDArray[Any] | Mapping[str, NDArray[Any]],
    *,
    components: xr.DataArray,
    neighbors: NDArray[np.int32],
    noise: float,
    refractory: Refractory,
) -> Clustering:
    """Drop clusters of side peaks, and merge clusters of one shape."""
    from ..kernels.cluster import drop as cluster_drop
    from ..kernels.cluster.reconcile import merge_same_shape
    from ..kernels.cluster.shape import cluster_means

    projection, channel = np.ascontiguousarray(chosen["projection"]), np.ascontiguousarray(chosen["channel_index"])
    basis = np.ascontiguousarray(components.values, np.float32)
    known = cluster_means(projection, channel, labels, neighbors)
    means, _ = known
    aligned = cluster_drop.drop_misaligned(labels, means, basis, peak_sample=int(components.attrs["nbefore"]))
    dropped = cluster_drop.dropped_clusters(labels, aligned, channel, reason="a side peak of a larger spike")
    merged = merge_same_shape(
        aligned,
        np.ascontiguousarray(chosen["sample_index"]),
        projection,
        channel,
        neighbors,
        basis,
        noise=noise,
        duration_samples=refractory.duration_samples,
        refractory_samples=refractory.refractory_samples,
        dead_samples=refractory.dead_samples,
        known=known if np.array_equal(aligned, labels) else None,
    )
    return Clustering(*merged, dropped)


def no_clusters(n_peaks: int) -> Clustering:
    """A clustering of ``n_peaks`` peaks in which none has a label."""
    from ..kernels.cluster.reconcile import DECISION

    return Clustering(np.full(n_peaks, -1, np.int32), np.zeros(n_peaks, np.int64), np.empty(0, DECISION))


def without_weak(
    labels: NDArray[np.int32],
    means: NDArray[np.float64],
    channel: NDArray[np.int64],
    *,
    noise: float,
    norm_min: float = 6.0,
) -> tuple[NDArray[np.int32], NDArray[Any]]:
    """Labels without the clusters that are too weak to be units, and records of those."""
    from ..kernels.cluster import drop as cluster_drop

    kept = cluster_drop.drop_weak(labels, means, noise=noise, norm_min=norm_min)
    return kept, cluster_drop.dropped_clusters(labels, kept, channel, reason="too weak to be a unit")


def spread_over_all(n_peaks: int, rows: NDArray[np.int64], settled: Clustering, *, weak: NDArray[Any]) -> Clustering:
    """Extend the clustering of the chosen ``rows`` to all peaks; the others get no label. ``weak`` were dropped."""
    everywhere, shifts = np.full(n_peaks, -1, np.int32), np.zeros(n_peaks, np.int64)
    everywhere[rows], shifts[rows] = settled.labels, settled.sample_shift
    dropped = np.concatenate([weak, settled.dropped])
    return replace(settled, labels=everywhere, sample_shift=shifts, dropped=dropped)


def thinned_sections(sections: list[Any], n_seen: list[int], n_clustered: list[int], n_spikes_min: int) -> NDArray[Any]:
    """Records of the sections in which only some peaks are clustered."""
    reason = "more peaks than are clustered"
    made = [
        (int(section.core[0]), all_of, some, -(-n_spikes_min * all_of // some), reason)
        for section, all_of, some in zip(sections, n_seen, n_clustered, strict=True)
        if some < all_of
    ]
    return np.array(made, THINNED)


def take_records(peaks: Records, fields: tuple[str, ...], rows: NDArray[np.integer[Any]] | None = None) -> NDArray[Any]:
    """Some fields of peaks, in memory or on disk; of ascending ``rows``, or of all."""
    check_fields(peaks, fields)
    if not isinstance(peaks, np.ndarray):
        return peaks.load(fields, rows=rows)
    return peaks[list(fields)] if rows is None else peaks[list(fields)][rows]


def take_columns(peaks: Records, fields: tuple[str, ...], rows: NDArray[np.integer[Any]]) -> dict[str, NDArray[Any]]:
    """Some fields of the peaks at ascending ``rows`` as contiguous arrays, which many kernels need.

    Records of some thousand peaks exist at a time, instead of all of them beside their columns.
    """
    check_fields(peaks, fields)
    columns = {name: np.empty((len(rows), *peaks.dtype[name].shape), peaks.dtype[name].base) for name in fields}
    for first in range(0, len(rows), N_RECORDS_AT_A_TIME):
        block = slice(first, first + N_RECORDS_AT_A_TIME)
        some = take_records(peaks, fields, rows[block])
        for name, column in columns.items():
            column[block] = some[name]
    return columns


def check_fields(peaks: Any, fields: tuple[str, ...]) -> None:
    """Refuse peaks that are not computed or lack a required field.

    Raises
    ------
    ParameterError
        With the function to call first.
    """
    if isinstance(peaks, SpikeTable):
        raise ParameterError("these peaks are not computed; compute them first: peaks.compute()")
    if missing := [name for name in fields if name not in (peaks.dtype.names or ())]:
        remedy = "project them first (project_peaks)" if "projection" in missing else "give records of detect_peaks"
        raise ParameterError(f"the peaks have no {' and no '.join(missing)}; {remedy}")
