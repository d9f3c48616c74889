"""Peaks clustered by section, and each cluster split on its own channels."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.cluster.peaks import split_cluster


@pytest.mark.parametrize("apart", [0.0, 12.0])
def test_a_cluster_is_split_where_its_own_channels_show_a_gap(apart):
    """Two neurons that differ on one channel only, large and variable in amplitude; or one neuron."""
    rng = np.random.default_rng(3)
    n = 600
    projection = rng.standard_normal((n, 3, 2)).astype(np.float32)
    projection[:, 0, 0] += 60 * (1 + 0.2 * rng.standard_normal(n))
    projection[n // 2 :, 2, 1] += apart
    neighbours = np.tile(np.arange(3, dtype=np.int32), (3, 1))
    labels = split_cluster(projection, np.zeros(n, np.int64), np.arange(n), neighbours, 20)
    assert labels.max() == (1 if apart else 0)
    if apart:
        assert (labels[: n // 2] == labels[0]).mean() > 0.98
        assert (labels[n // 2 :] == labels[-1]).mean() > 0.98
