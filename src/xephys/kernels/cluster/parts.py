"""Rows of the spikes of every cluster, and labels of all spikes from those of the parts of clusters."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.records import count_labels, order_by_label, row_blocks


def spread_rows(rows: NDArray[np.int64], n_max: int) -> NDArray[np.int64]:
    """At most ``n_max`` of the rows, evenly spread.

    Parameters
    ----------
    rows : (n,) int64
    n_max : int

    Returns
    -------
    (min(n, n_max),) int64

    Examples
    --------
    >>> spread_rows(np.arange(10, 20), 4).tolist()
    [10, 13, 16, 19]
    """
    return rows if len(rows) <= n_max else rows[np.linspace(0, len(rows) - 1, n_max).astype(np.int64)]


def rows_by_label(
    labels: NDArray[np.integer[Any]], *, n_max: int | None = None, n_min: int = 0
) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
    """Ascending rows of the spikes of every cluster.

    Parameters
    ----------
    labels : (n_spikes,) int
        Negative for spikes without a cluster.
    n_max : int, optional
        Maximum number of rows per cluster; from a larger cluster, evenly spread rows are taken.
    n_min : int
        Clusters with fewer rows are left out.

    Returns
    -------
    clusters : (n_kept,) int64
        Labels of the remaining clusters.
    rows : list of (n,) int64
        One array per remaining cluster.

    Examples
    --------
    >>> clusters, rows = rows_by_label(np.array([2, 0, 2, -1, 2]), n_max=2, n_min=1)
    >>> clusters.tolist(), [of_one.tolist() for of_one in rows]
    ([0, 2], [[1], [0, 4]])
    """
    counts = count_labels(labels)
    # Which of its spikes are taken from a cluster that is larger than n_max; those of others are all taken.
    taken = {}
    if n_max is not None:
        taken = {k: spread_rows(np.arange(counts[k]), n_max) for k in np.flatnonzero(counts > n_max).tolist()}
    parts: list[list[NDArray[np.int64]]] = [[np.empty(0, np.int64)] for _ in counts]
    seen = np.zeros(len(counts), np.int64)
    for block in row_blocks(len(labels)):
        here = labels[block]
        order = order_by_label(here) + block.start
        own = np.bincount(here[here >= 0], minlength=len(counts))
        ends = len(order) - own.sum() + np.cumsum(own)
        for cluster in np.flatnonzero(own).tolist():
            of_one = order[ends[cluster] - own[cluster] : ends[cluster]]
            if cluster in taken:
                first, last = np.searchsorted(taken[cluster], seen[cluster] + np.array([0, own[cluster]]))
                of_one = of_one[taken[cluster][first:last] - seen[cluster]]
            parts[cluster].append(of_one)
        seen += own
    sizes = counts if n_max is None else np.minimum(counts, n_max)
    clusters = np.flatnonzero(sizes >= n_min)
    return clusters, [np.concatenate(parts[cluster]) for cluster in clusters.tolist()]


def join_parts(rows: list[NDArray[np.int64]], parts: list[NDArray[np.int32]], *, n_spikes: int) -> NDArray[np.int32]:
    """Labels of all spikes from those of the parts of each cluster, numbered cluster by cluster.

    Parameters
    ----------
    rows : list of (n,) int64
        Spikes of each cluster.
    parts : list of (n,) int32
        Label of each spike within its cluster; negative for none.
    n_spikes : int

    Returns
    -------
    labels : (n_spikes,) int32
        -1 for spikes without a part.

    Examples
    --------
    >>> parts = [np.array([0, 1], np.int32), np.array([-1, 0], np.int32)]
    >>> join_parts([np.array([3, 0]), np.array([1, 2])], parts, n_spikes=5).tolist()
    [1, -1, 2, 0, -1]
    """
    labels, n_labels = np.full(n_spikes, -1, np.int32), 0
    for of_one, part in zip(rows, parts, strict=True):
        labels[of_one] = np.where(part >= 0, part + n_labels, -1)
        n_labels += int(part.max(initial=-1)) + 1
    return labels
