"""Units of several sortings as nodes of a graph whose edges connect units that agree, and its components."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def components(n_nodes: int, edges: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number the components of the graph: one number per node, in the order of their first nodes.

    Parameters
    ----------
    n_nodes : int
    edges : (edge, 2) int64
        The numbers of the two nodes of each edge.

    Examples
    --------
    >>> components(4, np.array([[1, 3]])).tolist()
    [0, 1, 2, 1]
    """
    matrix = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(n_nodes, n_nodes))
    labels = connected_components(matrix, directed=False)[1]
    _, first, order = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return np.asarray(rank[order], np.int64)


def one_unit_a_sorting(
    sorting_of_node: NDArray[np.int64], edges: NDArray[np.int64], weights: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Mark the edges to keep so that no component has two units of one sorting; the weakest edges are dropped.

    In each component, the sortings are visited in order. If a sorting has n units in the component, the n - 1 weakest
    edges of these units are dropped, and the units that lose an edge are skipped until the next round. Rounds are
    repeated until no component has two units of one sorting.

    Parameters
    ----------
    sorting_of_node : (node,) int64
    edges : (edge, 2) int64
    weights : (edge,) float64
        Agreements.

    Returns
    -------
    (edge,) bool

    Examples
    --------
    >>> one_unit_a_sorting(np.array([0, 0, 1, 2]), np.array([[0, 2], [2, 3], [1, 3]]), np.array([0.9, 0.8, 0.6]))
    array([ True,  True, False])
    """
    kept = np.ones(len(edges), bool)
    while True:
        left = np.flatnonzero(kept)
        weakest = _weakest(sorting_of_node, edges[left], weights[left])
        if not len(weakest):
            return kept
        kept[left[weakest]] = False


def _weakest(
    sorting_of_node: NDArray[np.int64], edges: NDArray[np.int64], weights: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Edges to drop in one round; empty if no component has two units of one sorting."""
    kept, present = np.ones(len(edges), bool), np.ones(len(sorting_of_node), bool)
    label = components(len(sorting_of_node), edges)
    n_sortings = int(sorting_of_node.max(initial=0)) + 1
    several = np.bincount(label * n_sortings + sorting_of_node, minlength=1) > 1
    for key in np.flatnonzero(several).tolist():
        component, sorting = divmod(key, n_sortings)
        nodes = np.flatnonzero((label == component) & (sorting_of_node == sorting) & present)
        if len(nodes) < 2:
            continue
        candidates = np.flatnonzero(kept & present[edges].all(axis=1) & np.isin(edges, nodes).any(axis=1))
        weakest = candidates[np.argsort(weights[candidates], kind="stable")[: len(nodes) - 1]]
        kept[weakest] = False
        present[np.intersect1d(edges[weakest], nodes)] = False
    return np.flatnonzero(~kept)
