"""Clusters and their numbers are those of HDBSCAN on the whole matrix of distances."""

import numpy as np
import pytest

from xephys.kernels.track.dant.density import density_clusters
from xephys.kernels.track.dant.spanning_tree import spanning_tree


def of_matrix(matrix, size_max, block):
    n = len(matrix)
    return density_clusters(*spanning_tree(lambda a, b: matrix[a:b], n, block=block), n, size_max=size_max)


def drawn(seed):
    rng = np.random.default_rng(seed)
    places = rng.standard_normal((rng.integers(2, 120), 3)) * rng.uniform(0.5, 3)
    matrix = (
        1.5 - np.linalg.norm(places[:, None] - places[None], axis=2) + 0.1 * rng.standard_normal((len(places),) * 2)
    )
    matrix = (matrix + matrix.T) / 2
    np.fill_diagonal(matrix, 6.0)
    return matrix, int(rng.integers(2, 8))


@pytest.mark.parametrize("start", range(0, 100, 10))
def test_labels_are_those_of_hdbscan_for_any_block(start):
    from sklearn.cluster import HDBSCAN

    for seed in range(start, start + 10):
        matrix, size_max = drawn(seed)
        distance = 1 / np.maximum(1 + np.tanh(matrix), 1e-300)
        np.fill_diagonal(distance, 0.0)
        # There, a unit counts as its own first neighbor.
        whole = HDBSCAN(min_cluster_size=2, min_samples=2, max_cluster_size=size_max, metric="precomputed", copy=True)
        expected = whole.fit(distance).labels_.tolist()
        assert all(of_matrix(matrix, size_max, block).tolist() == expected for block in (1, 16, 1000))


@pytest.mark.parametrize("seed", range(100, 110))
def test_clusters_do_not_depend_on_the_order_of_the_units(seed):
    matrix, size_max = drawn(seed)
    order = np.random.default_rng(seed).permutation(len(matrix))
    plain, turned = of_matrix(matrix, size_max, 32)[order], of_matrix(matrix[np.ix_(order, order)], size_max, 32)
    assert ((plain < 0) == (turned < 0)).all()
    joined = (plain[:, None] == plain[None]) & (plain >= 0)
    assert (joined == ((turned[:, None] == turned[None]) & (turned >= 0))).all()


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_units_are_no_cluster(n):
    empty = np.zeros(max(n - 1, 0), np.int64)
    assert density_clusters(empty, empty + 1, empty.astype(float), n, size_max=2).tolist() == [-1] * n
