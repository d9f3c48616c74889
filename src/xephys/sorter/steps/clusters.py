"""Clusters as every pass leaves them: aligned spikes, how many there are, and the log of how they came about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...cluster.settle import Clustering, take_records
from ...graph.checkpoint import StoredRecords
from .passes import NoUnits

SPIKE = np.dtype([("sample_index", "<i8"), ("channel_index", "<i8"), ("unit_index", "<i8")])


@dataclass(frozen=True)
class Clusters:
    """Clustered spikes, and what is known of their clusters.

    Attributes
    ----------
    spikes
        Records of ``SPIKE`` in time order, aligned alike within each cluster; ``unit_index`` counts the clusters.
    num_spikes
        Spikes of each cluster, with an estimate of those that were not clustered.
    log
        What was thinned, split, dropped and merged until now.
    unexplained
        Share of a spike's energy that each cluster's mean leaves; None before matched spikes have been seen.
    """

    spikes: NDArray[Any]
    num_spikes: NDArray[np.float64]
    log: list[dict[str, Any]]
    unexplained: NDArray[np.float64] | None = None

    def peak_channels(self, n_channels: int) -> NDArray[np.int64]:
        """The channel where most of a cluster's peaks are."""
        counts = np.zeros((len(self.num_spikes), n_channels), np.int64)
        np.add.at(counts, (self.spikes["unit_index"], self.spikes["channel_index"]), 1)
        return counts.argmax(axis=1)

    def with_unexplained(self, templates: xr.Dataset) -> xr.Dataset:
        """Their templates with the share that they leave unexplained: with it, pairs of spikes are weighed."""
        return templates if self.unexplained is None else templates.assign(unexplained=("unit", self.unexplained))


def clustered_spikes(events: NDArray[Any] | StoredRecords, clustering: Clustering) -> NDArray[Any]:
    """The clustered events as spikes, aligned alike within each cluster, in time order."""
    peaks, kept = take_records(events, ("sample_index", "channel_index")), clustering.labels >= 0
    spikes = np.zeros(int(kept.sum()), SPIKE)
    spikes["sample_index"] = peaks["sample_index"][kept] + clustering.sample_shift[kept]
    spikes["channel_index"] = peaks["channel_index"][kept]
    spikes["unit_index"] = clustering.labels[kept]
    return spikes[np.argsort(spikes["sample_index"], kind="stable")]


def check_found(clustering: Clustering, log: list[dict[str, Any]]) -> None:
    """End the sort where there is no cluster."""
    if clustering.n_clusters == 0:
        raise NoUnits(log)


def clustering_log(clustering: Clustering, *, step: str) -> list[dict[str, Any]]:
    """What was thinned, split, dropped and merged, in this order, with the figures and the reasons."""
    merged = clustering.decisions[clustering.decisions["merged"]]
    actions = {"thin": clustering.thinned, "split": clustering.splits, "drop": clustering.dropped, "merge": merged}
    return [
        {"step": step, "action": action, **{name: row[name].item() for name in rows.dtype.names or ()}}
        for action, rows in actions.items()
        for row in rows
    ]
