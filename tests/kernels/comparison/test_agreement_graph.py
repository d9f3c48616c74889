"""The graph of agreements: components in order, one unit of a sorting in each."""

from __future__ import annotations

import numpy as np

from xephys.kernels.comparison.agreement_graph import components, one_unit_a_sorting


def test_components_are_numbered_by_their_first_nodes() -> None:
    assert components(5, np.array([[4, 0], [2, 3]])).tolist() == [0, 1, 2, 2, 0]
    assert components(3, np.zeros((0, 2), np.int64)).tolist() == [0, 1, 2]
    assert components(0, np.zeros((0, 2), np.int64)).tolist() == []


def test_the_weakest_edge_of_a_second_unit_goes() -> None:
    sorting = np.array([0, 0, 1, 2])
    edges, weights = np.array([[0, 2], [1, 3], [2, 3]]), np.array([0.9, 0.5, 0.8])
    kept = one_unit_a_sorting(sorting, edges, weights)
    assert kept.tolist() == [True, False, True]
    assert components(4, edges[kept]).tolist() == [0, 1, 0, 0]


def test_groups_of_single_units_stay() -> None:
    edges = np.array([[0, 1], [1, 2], [0, 2]])
    assert one_unit_a_sorting(np.array([0, 1, 2]), edges, np.array([0.1, 0.2, 0.3])).all()
    assert one_unit_a_sorting(np.zeros(0, np.int64), np.zeros((0, 2), np.int64), np.zeros(0)).shape == (0,)


def test_edges_go_until_no_group_has_two_units_of_a_sorting() -> None:
    rng = np.random.default_rng(0)
    sorting = np.repeat(np.arange(4), 6)
    edges = np.array([[a, b] for a in range(24) for b in range(a + 1, 24) if sorting[a] != sorting[b]])
    edges = edges[rng.random(len(edges)) < 0.15]
    kept = one_unit_a_sorting(sorting, edges, rng.random(len(edges)))
    groups = components(24, edges[kept])
    assert len(np.unique(groups * 4 + sorting)) == 24 and 0 < kept.sum() < len(kept)
