"""From many small communities to units: build a tree of merges, then decide from its root down which to undo.

Communities are merged in descending order of their links over those expected from their degrees. Then each merge is
tested, starting with the last one. It stands, with everything below it, if the two sides are one cloud of spikes or
share a refractory period. Otherwise it is undone, and its two sides are tested in turn.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.cluster.bimodality import bimodality
from xephys.kernels.metrics.refractory import is_refractory, refractoriness

DECISION = np.dtype(
    [
        ("n_first", np.int64),
        ("n_second", np.int64),
        ("ratio", np.float64),
        ("score", np.float64),
        ("split", np.bool_),
        ("reason", "U40"),
    ]
)
"""One tested merge of the tree: sizes of its sides, links over the null, bimodality, and the decision."""

#: Added to the expected links, so that pairs of tiny communities have a finite ratio.
_NULL = 1e-3


class MergeTree(NamedTuple):
    """Merges in order: nodes 0 to n - 1 are communities; n, n + 1, … are the merges."""

    children: NDArray[np.int64]
    ratios: NDArray[np.float64]


def link_counts(
    links: NDArray[np.int32], labels: NDArray[np.int32], landmark_labels: NDArray[np.int32], n_labels: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Links between communities and those expected from their degrees, both symmetric.

    Examples
    --------
    >>> links = np.array([[0], [0], [1], [1]], np.int32)
    >>> link_counts(links, np.array([0, 0, 1, 1]), np.array([0, 1]), 2)[0].tolist()
    [[4.0, 0.0], [0.0, 4.0]]
    """
    pairs = labels[:, None].astype(np.int64) * n_labels + landmark_labels[links]
    counts = np.bincount(pairs.ravel(), minlength=n_labels**2).reshape(n_labels, n_labels).astype(np.float64)
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / max(links.size, 1) + _NULL
    return counts + counts.T, expected + expected.T


def merge_tree(counts: NDArray[np.float64], expected: NDArray[np.float64]) -> MergeTree:
    """Merge the pair with the largest ratio of links to expected links, repeatedly, until one node is left.

    Parameters
    ----------
    counts, expected : (n, n) float64
        From `link_counts`.

    Returns
    -------
    children : (n - 1, 2) int64
    ratios : (n - 1,) float64

    Examples
    --------
    >>> counts = np.array([[9, 3, 0], [3, 9, 1], [0, 1, 9.0]])
    >>> merge_tree(counts, np.ones((3, 3))).children.tolist()
    [[0, 1], [2, 3]]
    """
    c, e = counts.copy(), expected.copy()
    n = len(c)
    alive, names = np.ones(n, bool), np.arange(n)
    ratio = c / np.maximum(e, _NULL)
    np.fill_diagonal(ratio, -np.inf)
    children, ratios = np.zeros((max(n - 1, 0), 2), np.int64), np.zeros(max(n - 1, 0))
    for step in range(n - 1):
        a, b = np.unravel_index(int(ratio.argmax()), ratio.shape)
        children[step] = sorted((names[a], names[b]))
        ratios[step] = ratio[a, b]
        for table in (c, e):
            table[a] += table[b]
            table[:, a] += table[:, b]
        alive[b] = False
        names[a] = n + step
        ratio[b] = ratio[:, b] = -np.inf
        ratio[a, alive] = ratio[alive, a] = c[a, alive] / np.maximum(e[a, alive], _NULL)
        ratio[a, a] = -np.inf
    return MergeTree(children, ratios)


def split_tree(
    tree: MergeTree,
    features: NDArray[np.float32],
    labels: NDArray[np.int32],
    *,
    samples: NDArray[np.int64] | None = None,
    bin_samples: int = 30,
    n_spikes_min: int = 20,
    no_links: float = 0.02,
    few_links: float = 0.2,
    score_min: float = 0.6,
    depth_min: float = 3.5,
    ratio_max: float = 0.25,
    chance_max: float = 0.05,
) -> tuple[NDArray[np.int32], NDArray[np.void]]:
    """Decide, from the root down, which merges are undone.

    Parameters
    ----------
    tree : MergeTree
    features : (n_spikes, n_features) float32
    labels : (n_spikes,) int32
        Communities.
    samples : (n_spikes,) int64, optional
        Sample of each spike. If given, two sides whose cross-correlogram is refractory stay one.
    bin_samples : int
        Samples of 1 ms.
    n_spikes_min : int
        A side with fewer spikes is not tested; only its links can separate it.
    no_links : float
        Two sides with fewer links than this fraction of those expected are separated untested.
    few_links : float
        The same limit if a side has too few spikes to be tested. It does not apply to others, because the two ends of
        one long cloud that is alone in its section have as few links.
    score_min, depth_min : float
        The two sides are separated if the valley between them holds at most ``1 - score_min`` of the lower shoulder and
        is at least this number of standard errors deep (see `bimodality`, which is judged on spikes that were not used
        for the fit).
    ratio_max, chance_max : float
        Limits of a refractory cross-correlogram.

    Returns
    -------
    labels : (n_spikes,) int32
        0, 1, … by decreasing number of spikes.
    decisions : structured array of dtype `DECISION`

    Examples
    --------
    >>> points = np.random.default_rng(0).standard_normal((300, 4)).astype("f4")
    >>> points[150:] += 8
    >>> halves = np.repeat(np.array([0, 1], np.int32), 150)
    >>> tree = MergeTree(np.array([[0, 1]]), np.array([0.5]))
    >>> found, why = split_tree(tree, points, halves)
    >>> np.bincount(found).tolist(), why["reason"].tolist()
    ([150, 150], ['two clouds'])
    """
    n_leaves = len(tree.children) + 1
    order = np.argsort(labels, kind="stable")
    bounds = np.searchsorted(labels[order], np.arange(n_leaves + 1))
    members = [order[bounds[leaf] : bounds[leaf + 1]] for leaf in range(n_leaves)]
    for a, b in tree.children:
        members.append(np.sort(np.concatenate([members[a], members[b]])))
    decisions, parts = [], []
    pending = [len(members) - 1]
    while pending:
        node = pending.pop()
        if node < n_leaves:
            parts.append(members[node])
            continue
        a, b = tree.children[node - n_leaves]
        ratio, score, split = float(tree.ratios[node - n_leaves]), float("nan"), False
        first, second = members[a], members[b]
        if ratio < no_links:
            split, reason = True, "hardly a link"
        elif min(len(first), len(second)) < n_spikes_min:
            split = ratio < few_links
            reason = "few spikes, few links" if split else "too few spikes to tell"
        elif samples is not None and is_refractory(
            refractoriness(np.sort(samples[first]), np.sort(samples[second]), bin_samples=bin_samples),
            ratio_max=ratio_max,
            chance_max=chance_max,
        ):
            reason = "refractory cross-correlogram"
        else:
            depth, valley = bimodality(features[first], features[second])
            score = 1.0 - valley
            split = score >= score_min and depth >= depth_min
            reason = "two clouds" if split else "one cloud"
        decisions.append((len(first), len(second), ratio, score, split, reason))
        if split:
            pending.extend([int(b), int(a)])
        else:
            parts.append(members[node])
    found = np.zeros(len(labels), np.int32)
    for rank, part in enumerate(sorted(parts, key=lambda p: (-len(p), int(p[0]) if len(p) else 0))):
        found[part] = rank
    return found, np.array(decisions, DECISION)
