"""Footprints of sources: exponential in the distance, of unit norm, without small weights."""

from __future__ import annotations

import numpy as np

from xephys.kernels.lib.footprints import exponential_footprints


def test_weights_by_their_definition():
    channels = np.stack([np.zeros(6), 20.0 * np.arange(6)], axis=1)
    sources = np.array([[5.0, 10.0], [0.0, 60.0]])
    distances = np.linalg.norm(channels[:, None] - sources[None], axis=2)
    depths, decay = np.array([1.0, 25.0]), 30.0
    found = exponential_footprints(distances, depths_um=depths, decay_um=decay)
    assert found.shape == (2, 2, 6)
    for s in range(2):
        for d in range(2):
            weight = np.array([np.exp(-np.hypot(distances[c, s], depths[d]) / decay) for c in range(6)])
            weight /= np.linalg.norm(weight)
            weight[weight < 0.5 / np.sqrt(6)] = 0
            np.testing.assert_allclose(found[s, d], weight / np.linalg.norm(weight))
    assert (found == 0).any()


def test_deep_sources_do_not_underflow():
    found = exponential_footprints(np.array([[0.0], [10.0]]), depths_um=np.array([1e6]), decay_um=1.0)
    np.testing.assert_allclose(np.linalg.norm(found, axis=2), 1.0)
