"""Nearest rows equal scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.metrics.neighbors import nearest_rows


def test_neighbors_equal_scikit_learns() -> None:
    from sklearn.neighbors import NearestNeighbors

    rows = np.random.default_rng(0).normal(size=(1300, 12)).astype(np.float32)
    expected = NearestNeighbors(n_neighbors=4).fit(rows).kneighbors(return_distance=False)
    np.testing.assert_array_equal(nearest_rows(rows, n_neighbors=4), expected)


def test_equal_rows_are_neighbors_but_none_is_its_own() -> None:
    rows = np.zeros((6, 2), np.float32)
    found = nearest_rows(rows, n_neighbors=2)
    assert not (found == np.arange(6)[:, None]).any()
    assert found[3].tolist() == [0, 1]


def test_blocks_that_do_not_divide_the_rows_change_nothing() -> None:
    """Each block of distances serves both its rows and its columns; ties go to the smaller number in either."""
    rng = np.random.default_rng(1)
    rows = rng.integers(0, 3, (1100, 4)).astype(np.float32)  # many ties
    norms = np.einsum("nf,nf->n", rows, rows)
    distances = norms[None] - 2 * (rows @ rows.T)
    np.fill_diagonal(distances, np.inf)
    found = nearest_rows(rows, n_neighbors=6)
    kept = np.take_along_axis(distances, found, axis=1)
    np.testing.assert_allclose(kept, np.sort(distances, axis=1)[:, :6], atol=1e-4)
    assert all(len(set(row)) == 6 for row in found.tolist())


@pytest.mark.parametrize("n_groups", [5, 70])
def test_groups_of_zeros_are_left_out_without_effect(n_groups: int) -> None:
    """Also with more groups than an integer has bits."""
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(700, n_groups, 3)).astype(np.float32)
    rows[:300, : n_groups // 2] = 0
    rows[450:, n_groups // 3 :] = 0
    rows = rows.reshape(700, -1)
    np.testing.assert_array_equal(
        nearest_rows(rows, n_neighbors=5, width=3), nearest_rows(rows, n_neighbors=5, width=rows.shape[1])
    )
