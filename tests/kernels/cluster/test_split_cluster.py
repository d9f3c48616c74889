"""A cluster is split on its own channels, a unit on the channels that its mean reaches."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.cluster.split_cluster import split_cluster, split_unit


@pytest.mark.parametrize("apart", [0.0, 12.0])
def test_a_cluster_is_split_where_its_own_channels_show_a_gap(apart):
    """Two neurons that differ on one channel only, large and variable in amplitude; or one neuron."""
    rng = np.random.default_rng(3)
    n = 600
    projection = rng.standard_normal((n, 3, 2)).astype(np.float32)
    projection[:, 0, 0] += 60 * (1 + 0.2 * rng.standard_normal(n))
    projection[n // 2 :, 2, 1] += apart
    neighbors = np.tile(np.arange(3, dtype=np.int32), (3, 1))
    labels = split_cluster(projection, np.zeros(n, np.int64), np.arange(n), neighbors, 20)
    assert labels.max() == (1 if apart else 0)
    if apart:
        assert (labels[: n // 2] == labels[0]).mean() > 0.98
        assert (labels[n // 2 :] == labels[-1]).mean() > 0.98


@pytest.mark.parametrize("apart", [0.0, 12.0])
def test_a_unit_is_split_on_the_channels_that_its_mean_reaches(apart):
    """A gap on a channel without energy does not count."""
    rng = np.random.default_rng(4)
    n = 600
    projection = rng.standard_normal((n, 3, 2)).astype(np.float32)
    projection[:, 0] += 60
    projection[::2, 0, 1] += apart  # alternating in time, because parts that take turns are one unit
    projection[::2, 2, 1] += 5
    projection[1::2, 2, 1] -= 5
    labels, splits = split_unit(projection, 7, np.arange(n), 20)
    assert labels.max() == (1 if apart else 0)
    assert splits["unit"].tolist() == ([7] if apart else [])
