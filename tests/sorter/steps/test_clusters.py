"""Clusters after a pass: aligned, in order of time, with a log of all decisions."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from xephys.cluster.settle import THINNED, Clustering
from xephys.kernels.cluster.reconcile import DECISION
from xephys.sorter.steps.clusters import Clusters, check_found, clustering_log
from xephys.sorter.steps.passes import NoUnits

EVENT = [("sample_index", "i8"), ("channel_index", "i8"), ("amplitude", "f8")]


def clustering(labels, shifts, **more):
    return Clustering(np.array(labels, np.int32), np.array(shifts, np.int64), np.zeros(2, DECISION), **more)


def test_spikes_are_aligned_and_in_order():
    events = np.array([(10, 3, -1.0), (12, 4, -2.0), (13, 5, -3.0), (20, 3, -4.0)], EVENT)
    spikes = clustering([1, 0, -1, 1], [5, 0, 0, -1]).spikes(events)
    assert spikes.tolist() == [(12, 4, 0), (15, 3, 1), (19, 3, 1)]


def test_the_peak_channel_is_that_of_most_peaks():
    events = np.array([(t, c, 0.0) for t, c in enumerate([2, 2, 1, 0, 3, 3])], EVENT)
    spikes = clustering([0, 0, 0, 1, 1, 1], [0] * 6).spikes(events)
    clusters = Clusters(spikes, np.array([3.0, 3.0]), [])
    assert clusters.peak_channels().tolist() == [2, 3]


def test_templates_get_their_unexplained_share_once_it_is_known():
    templates = xr.Dataset({"num_averaged": ("unit", [3, 3])})
    clusters = Clusters(np.zeros(0), np.array([3.0, 3.0]), [])
    assert clusters.with_unexplained(templates) is templates
    known = Clusters(np.zeros(0), np.array([3.0, 3.0]), [], np.array([0.1, 0.2]))
    assert known.with_unexplained(templates)["unexplained"].values.tolist() == [0.1, 0.2]


def test_the_log_has_applied_decisions_only():
    decided = clustering([0], [0], thinned=np.array([(3, 90, 30, 60, "more peaks than are clustered")], THINNED))
    decided.decisions["merged"][1] = True
    log = clustering_log(decided, step="cluster")
    assert [(row["step"], row["action"]) for row in log] == [("cluster", "thin"), ("cluster", "merge")]
    assert log[0]["num_peaks"] == 90


def test_a_pass_without_clusters_ends_the_sort():
    check_found(clustering([0, -1], [0, 0]), [])
    with pytest.raises(NoUnits) as end:
        check_found(clustering([-1, -1], [0, 0]), [{"step": "cluster"}])
    assert end.value.log == [{"step": "cluster"}]
