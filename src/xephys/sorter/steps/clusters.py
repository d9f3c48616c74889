"""Clusters after a pass: aligned spikes, how many there are, and the log of how they were made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...cluster.settle import Clustering
from ...templates.average import usual_channels
from .passes import NoUnits


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

    def peak_channels(self) -> NDArray[np.int64]:
        """The channel where most of a cluster's peaks are."""
        return usual_channels(self.spikes["channel_index"], self.spikes["unit_index"], n_units=len(self.num_spikes))

    def with_unexplained(self, templates: xr.Dataset) -> xr.Dataset:
        """Their templates with the share that they leave unexplained: with it, pairs of spikes are weighed."""
        return templates if self.unexplained is None else templates.assign(unexplained=("unit", self.unexplained))


def check_found(clustering: Clustering, log: list[dict[str, Any]]) -> None:
    """End the sort if there are no clusters."""
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
