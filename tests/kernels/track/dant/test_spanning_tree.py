"""The tree is that of the whole matrix, whatever is read at once."""

import numpy as np
import pytest
from scipy.sparse.csgraph import minimum_spanning_tree

from xephys.kernels.track.dant.spanning_tree import spanning_tree


@pytest.mark.parametrize("seed", range(5))
def test_weights_are_those_of_the_tree_of_the_whole_matrix(seed):
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((40, 40))
    matrix = matrix + matrix.T
    weights = np.sort(minimum_spanning_tree(20.0 - np.triu(matrix, 1)).data)
    trees = [spanning_tree(lambda a, b: matrix[a:b], 40, block=block) for block in (1, 7, 40, 1000)]
    for first, second, similarity in trees:
        np.testing.assert_allclose(np.sort(20.0 - similarity), weights)
        assert {*zip(first, second, strict=True)} == {*zip(*trees[0][:2], strict=True)}


def test_equal_similarities_give_one_tree():
    trees = [spanning_tree(lambda a, b: np.ones((9, 9))[a:b], 9, block=block) for block in (1, 4, 9)]
    edges = [sorted(zip(first.tolist(), second.tolist(), strict=True)) for first, second, _ in trees]
    assert edges[0] == edges[1] == edges[2] and len(edges[0]) == 8
