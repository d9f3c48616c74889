"""Channels of a ring: chosen by distance, good ones only, and at least as many as requested if they exist."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.preprocess.spatial.ring import ring_neighbors


@pytest.mark.parametrize("n_neighbors_min", [1, 6])
def test_result_equals_a_plain_count(n_neighbors_min):
    rng = np.random.default_rng(0)
    positions, good = rng.uniform(0, 300, (24, 2)), rng.random(24) > 0.2
    found = ring_neighbors(positions, good, inner_radius_um=40.0, outer_radius_um=90.0, n_neighbors_min=n_neighbors_min)
    assert found.dtype == np.int32
    for channel, row in enumerate(found):
        distance = {c: float(np.linalg.norm(positions[c] - positions[channel])) for c in range(24) if good[c]}
        beyond = sorted((d, c) for c, d in distance.items() if d > 40.0)
        n = max(sum(d <= 90.0 for d, _ in beyond), n_neighbors_min)
        assert row[row >= 0].tolist() == sorted(c for _, c in beyond[:n])


def test_a_ring_is_empty_if_no_channel_is_beyond():
    apart = {"inner_radius_um": 40.0, "outer_radius_um": 90.0, "n_neighbors_min": 1}
    assert (ring_neighbors(np.zeros((3, 2)), np.ones(3, bool), **apart) < 0).all()
