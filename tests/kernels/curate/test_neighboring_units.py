"""Counts of nearest neighbors by unit equal those from all distances."""

from __future__ import annotations

import numpy as np

from xephys.kernels.curate.neighboring_units import count_neighbors


def test_counts_equal_those_from_all_distances() -> None:
    rng = np.random.default_rng(0)
    features, units = rng.normal(size=(150, 3)) * [1, 5, 20], rng.integers(0, 4, 150)
    scaled = features / features.std(axis=0)
    nearest = np.linalg.norm(scaled[:, None] - scaled[None], axis=2).argsort(axis=1, kind="stable")[:, :5]
    expected = np.zeros((4, 4), int)
    for spike, others in enumerate(nearest):
        for other in others:
            expected[units[spike], units[other]] += 1
    assert count_neighbors(features, units, n_units=4, n_neighbors=5).tolist() == expected.tolist()


def test_spikes_without_features() -> None:
    features = np.array([[0.0], [np.nan], [1.0]])
    counts = count_neighbors(features, np.array([0, 0, 1]), n_units=2, n_neighbors=10)
    assert counts.tolist() == [[1, 1], [1, 1]]
    assert count_neighbors(np.zeros((0, 2)), np.zeros(0, int), n_units=2, n_neighbors=3).sum() == 0
