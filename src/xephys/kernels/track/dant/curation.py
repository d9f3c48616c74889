"""Curation of clusters over sessions: one unit of each session, and no cluster that falls apart at the threshold."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

#: Reasons why a pair of one cluster is separated, from 1 on.
REASONS = ("Removal_SameSession", "Removal_LowSimilarity")


def curate_clusters(
    label: NDArray[np.int64],
    session: NDArray[np.int64],
    threshold: float,
    within: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    *,
    split: bool = True,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Leave at most one unit of each session in a cluster, and separate what lower similarities connect.

    Parameters
    ----------
    label : (unit,)
        Cluster of each unit from 0 on, -1 for none.
    session : (unit,)
    threshold : float
    within
        ``within(units)`` returns the similarities of some units among themselves.
    split
        Whether clusters are split into groups that similarities above the threshold connect.

    Returns
    -------
    label : (unit,)
        From 0 on without gaps; the first group of a split cluster keeps its place, the others come last.
    pairs : (pair, 2)
        Units that shared a cluster before.
    reason : (pair,)
        1 if a unit was left out beside a better one of its session, 2 if the similarities are too low.

    Examples
    --------
    >>> similarity = np.array([[6.0, 4, 3], [4, 6, 1], [3, 1, 6]])
    >>> curate_clusters(np.zeros(3, int), np.array([0, 1, 1]), 2.0, lambda u: similarity[np.ix_(u, u)])[0].tolist()
    [0, 0, -1]
    """
    out = label.copy()
    next_label = int(label.max(initial=-1)) + 1
    pairs: list[NDArray[np.int64]] = []
    reasons: list[int] = []
    order = np.argsort(label, kind="stable")
    bounds = np.searchsorted(label[order], np.arange(next_label + 1))
    for number in range(next_label):
        members = order[bounds[number] : bounds[number + 1]]
        similarity = within(members)
        kept = _one_per_session(session[members], similarity)
        for k in np.flatnonzero(~kept):
            others = np.delete(members, k)
            pairs.append(np.sort(np.column_stack([np.full(len(others), members[k]), others]), axis=1))
            reasons += [1] * len(others)
        out[members[~kept]] = -1
        if split and kept.sum() > 1:
            left = members[kept]
            part = _connected(similarity[np.ix_(kept, kept)] > threshold)
            i, j = np.nonzero(np.triu(part[:, None] != part[None], 1))
            pairs.append(np.column_stack([left[i], left[j]]))
            reasons += [2] * len(i)
            later = part > 0
            out[left[later]] = next_label + part[later] - 1
            next_label += int(part.max())
    counts = np.bincount(out[out >= 0], minlength=next_label)
    place = np.where(counts > 1, np.cumsum(counts > 1) - 1, -1)
    out = np.where(out >= 0, place[np.maximum(out, 0)] if len(place) else -1, -1)
    listed = np.concatenate(pairs) if pairs else np.empty((0, 2), np.int64)
    # A pair of two units that were both left out is listed once.
    listed, at = np.unique(listed, axis=0, return_index=True)
    return out, listed.astype(np.int64), np.asarray(reasons, np.int64)[at]


def _one_per_session(session: NDArray[np.int64], similarity: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which units stay: of those of one session, the one that is most similar to the cluster; of equals, the first.

    The similarities are averaged anew after every round, without the units that were left out in it.
    """
    kept = np.ones(len(session), np.bool_)
    while True:
        i, j = np.nonzero(np.triu((session[:, None] == session[None]) & np.outer(kept, kept), 1))
        if not len(i):
            return kept
        mean = similarity[:, kept].mean(axis=1)
        kept[np.where(mean[i] < mean[j], i, j)] = False


def _connected(graph: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Number of the connected group of each node, in order of their first nodes."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    part = connected_components(csr_array(graph), directed=False)[1]
    _, first, at = np.unique(part, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[at], np.int64)
