"""Nearest rows beside scikit-learn's."""

from __future__ import annotations

import numpy as np

from xephys.kernels.metrics.neighbors import nearest_rows


def test_as_scikit_learn_finds_them() -> None:
    from sklearn.neighbors import NearestNeighbors

    rows = np.random.default_rng(0).normal(size=(1300, 12)).astype(np.float32)
    expected = NearestNeighbors(n_neighbors=4).fit(rows).kneighbors(return_distance=False)
    np.testing.assert_array_equal(nearest_rows(rows, n_neighbors=4), expected)


def test_equal_rows_are_neighbors_but_none_is_its_own() -> None:
    rows = np.zeros((6, 2), np.float32)
    found = nearest_rows(rows, n_neighbors=2)
    assert not (found == np.arange(6)[:, None]).any()
    assert found[3].tolist() == [0, 1]
