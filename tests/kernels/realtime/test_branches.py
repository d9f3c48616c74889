"""Roots of a channel are clustered by latencies and amplitudes."""

import numpy as np

from xephys.kernels.realtime.branches import cluster_roots, latency_branches, pattern_features

from .spikes import make_roots
from .test_learn import SETTINGS


def test_two_speeds_are_two_clusters():
    roots, around, unit = make_roots([2.0, 2.0], [0.3, 2.2], [22, 22])
    label = cluster_roots(roots, around, SETTINGS, 3.0, 10.0)
    used = label >= 0
    assert len(np.unique(label[used])) == 2
    for k in range(2):
        mine = label[used & (unit == k)]
        assert (mine == np.bincount(mine).argmax()).mean() > 0.95


def test_latencies_without_a_gap_are_one_branch():
    late = np.random.default_rng(0).normal(0, 2, (300, 4)).astype(np.float32)
    branches = latency_branches(late, np.ones((300, 4), bool), SETTINGS)
    assert [len(rows) for rows in branches] == [300]


def test_features_ignore_channels_without_detections():
    roots, _, _ = make_roots([4.0], [1.0], [20], n_spikes=50)
    silent = roots._replace(probabilities=np.where(np.arange(6) == 0, 0.9, 0.0) * np.ones_like(roots.probabilities))
    features = pattern_features(silent, np.arange(50), 6)
    assert features.shape == (50, 11)
    assert not features[:, 6:].any()
