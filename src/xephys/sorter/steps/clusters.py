"""Clusters after a pass: aligned spikes, their numbers, and the log of how they were made."""

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
    """Clustered spikes, and what is known about their clusters.

    Attributes
    ----------
    spikes
        Records of ``SPIKE`` in time order, aligned within each cluster; ``unit_index`` numbers the clusters.
    num_spikes
        Number of spikes of each cluster, including an estimate of those that were not clustered.
    log
        Records of what has been thinned, split, dropped and merged so far.
    unexplained
        Share of a spike's energy that each cluster's mean leaves unexplained; None until spikes have been matched.
    """

    spikes: NDArray[Any]
    num_spikes: NDArray[np.float64]
    log: list[dict[str, Any]]
    unexplained: NDArray[np.float64] | None = None

    def peak_channels(self) -> NDArray[np.int64]:
        """The channel that holds most of each cluster's peaks."""
        return usual_channels(self.spikes["channel_index"], self.spikes["unit_index"], n_units=len(self.num_spikes))

    def with_unexplained(self, templates: xr.Dataset) -> xr.Dataset:
        """The templates with the share that they leave unexplained, which matching uses to weigh pairs of spikes."""
        return templates if self.unexplained is None else templates.assign(unexplained=("unit", self.unexplained))


def check_found(clustering: Clustering, log: list[dict[str, Any]]) -> None:
    """End the sort if there are no clusters."""
    if clustering.n_clusters == 0:
        raise NoUnits(log)


def clustering_log(clustering: Clustering, *, step: str) -> list[dict[str, Any]]:
    """Log records of what was thinned, split, dropped and merged, in this order, with figures and reasons."""
    merged = clustering.decisions[clustering.decisions["merged"]]
    actions = {"thin": clustering.thinned, "split": clustering.splits, "drop": clustering.dropped, "merge": merged}
    return [
        {"step": step, "action": action, **{name: row[name].item() for name in rows.dtype.names or ()}}
        for action, rows in actions.items()
        for row in rows
    ]
