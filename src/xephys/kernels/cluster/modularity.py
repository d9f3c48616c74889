"""Communities of spikes on the graph that links each spike to its nearest landmarks.

Landmarks are some of the spikes. The graph is bipartite, so its size grows with the number of spikes while the number
of landmarks is bounded. Labels of spikes and landmarks maximize the bipartite modularity (Barber 2007, Phys. Rev. E
76:066102), whose null model links nodes by their degrees. With the spikes' labels fixed, each landmark can be placed
where it gains most, and vice versa; the modularity never falls, so the alternation ends by itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.cluster.density import nearest_landmarks
from xephys.kernels.lib.arrays import empty, zeros
from xephys.kernels.lib.inner import kernel

#: Number of spikes among which initial centers are sought; the others join the nearest center.
_START_SPIKES = 3000
#: Candidates per center.
_CANDIDATES = 20


def landmark_rows(n_spikes: int, *, downsampling: int, n_min: int, n_max: int | None) -> NDArray[np.int64]:
    """Rows of the landmarks: evenly spaced, within limits.

    Parameters
    ----------
    n_spikes : int
    downsampling : int
        Spikes per landmark, but
    n_min, n_max : int
        no fewer (if there are enough spikes) and no more landmarks than these; no upper limit if None.

    Returns
    -------
    (n,) int64, ascending

    Examples
    --------
    >>> landmark_rows(10, downsampling=4, n_min=5, n_max=None).tolist()
    [0, 2, 4, 6, 9]
    """
    wanted = max(-(-n_spikes // downsampling), min(n_min, n_spikes))
    if n_max is not None:
        wanted = min(wanted, n_max)
    return np.unique(np.linspace(0, max(n_spikes - 1, 0), wanted).astype(np.int64))


def landmark_graph(
    features: NDArray[np.float32], landmarks: NDArray[np.int64], *, n_neighbors: int
) -> NDArray[np.int32]:
    """Links from every spike to its nearest landmarks, excluding itself.

    Parameters
    ----------
    features : (n_spikes, n_features) float32
    landmarks : (n_landmarks,) int64
        Rows of the spikes that are landmarks, ascending.
    n_neighbors : int
        Fewer if there are fewer other landmarks.

    Returns
    -------
    links : (n_spikes, k) int32
        Numbers of landmarks, nearest first. Spikes that are not landmarks drop their last link, so that all rows have
        the same length.

    Examples
    --------
    >>> features = np.array([[0], [1], [5], [7]], np.float32)
    >>> landmark_graph(features, np.array([0, 2, 3]), n_neighbors=1).tolist()
    [[1], [0], [2], [1]]
    """
    k = min(n_neighbors + 1, len(landmarks))
    nearest, _ = nearest_landmarks(features, np.ascontiguousarray(features[landmarks]), n_neighbors=k)
    own = np.full(len(features), -1, np.int32)
    own[landmarks] = np.arange(len(landmarks), dtype=np.int32)
    # An identical spike may come first, so a landmark is sought anywhere in its own row.
    itself = nearest == own[:, None]
    absent = ~itself.any(axis=1)
    itself[absent, -1] = True
    return np.ascontiguousarray(nearest[~itself].reshape(len(features), k - 1))


def start_labels(features: NDArray[np.float32], *, n_clusters: int, seed: int) -> NDArray[np.int32]:
    """Initial clusters: greedy centers that explain most of what is still unexplained.

    In each round, some spikes are drawn with probability proportional to their unexplained squared norm. The one that
    explains most of all spikes' norms becomes a center (greedy k-means++).

    Parameters
    ----------
    features : (n_spikes, n_features) float32
    n_clusters : int
        Maximum number; the search ends earlier if no spike explains anything more.
    seed : int

    Returns
    -------
    labels : (n_spikes,) int32
        0, 1, … in order of the centers; every label is in use.

    Examples
    --------
    >>> points = np.repeat(np.array([[4.0, 0], [0, 4], [-4, 0]], np.float32), 5, axis=0)
    >>> len(set(start_labels(points, n_clusters=10, seed=0).tolist()))
    3
    """
    rows = landmark_rows(len(features), downsampling=1, n_min=0, n_max=_START_SPIKES)
    some = features[rows].astype(np.float64)
    norms = (some**2).sum(axis=1)
    best = np.zeros(len(some))
    centers: list[int] = []
    rng = np.random.default_rng(seed)
    for _ in range(n_clusters):
        rest = np.maximum(norms - best, 0.0)
        reach = np.cumsum(rest)
        if not len(reach) or reach[-1] <= 1e-9 * max(float(norms.sum()), 1e-30):
            break
        draws = np.searchsorted(reach, rng.random(_CANDIDATES) * reach[-1], side="right")
        candidates = np.unique(np.minimum(draws, len(some) - 1))
        explained = 2.0 * (some[candidates] @ some.T) - norms[candidates, None]
        gains = np.maximum(explained - best, 0.0).sum(axis=1)
        chosen = int(gains.argmax())
        if gains[chosen] <= 0:
            break
        best = np.maximum(best, explained[chosen])
        centers.append(int(candidates[chosen]))
    if not centers:
        return np.zeros(len(features), np.int32)
    points = np.ascontiguousarray(features[rows[np.array(centers)]])
    nearest, _ = nearest_landmarks(features, points, n_neighbors=1)
    return np.unique(nearest[:, 0], return_inverse=True)[1].astype(np.int32)


@kernel
def _reverse(links: NDArray[np.int32], n_landmarks: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The spikes linked to each landmark: offsets and their rows."""
    offsets = zeros(n_landmarks + 1, np.int64)
    for i in range(links.shape[0]):
        for k in range(links.shape[1]):
            offsets[links[i, k] + 1] += 1
    for v in range(n_landmarks):
        offsets[v + 1] += offsets[v]
    filled = offsets[:-1].copy()
    spikes = empty(links.size, np.int32)
    for i in range(links.shape[0]):
        for k in range(links.shape[1]):
            spikes[filled[links[i, k]]] = i
            filled[links[i, k]] += 1
    return offsets, spikes


@kernel
def _reassign(
    offsets: NDArray[np.int64],
    partners: NDArray[np.int32],
    partner_labels: NDArray[np.int32],
    degrees: NDArray[np.float64],
    n_labels: int,
    resolution: float,
    labels: NDArray[np.int32],
) -> int:
    """Move each node of one side to the label with most links beyond the null; returns the number of moves.

    ``degrees`` are the degrees of the other side's nodes, summed by label and divided by the number of links.
    """
    votes = zeros(n_labels)
    moved = 0
    for node in range(offsets.size - 1):
        first, last = offsets[node], offsets[node + 1]
        if first == last:
            continue
        for p in range(first, last):
            votes[partner_labels[partners[p]]] += 1.0
        own_degree = np.float64(last - first)
        current = labels[node]
        best_label = current
        best = votes[current] - resolution * own_degree * degrees[current]
        for p in range(first, last):
            label = partner_labels[partners[p]]
            value = votes[label] - resolution * own_degree * degrees[label]
            # Ties keep the label, or else go to the smaller one, so that the order of links has no influence.
            if value > best + 1e-9 or (value > best - 1e-9 and best_label != current and label < best_label):
                best, best_label = max(best, value), label
        if best_label != current:
            labels[node] = best_label
            moved += 1
        for p in range(first, last):
            votes[partner_labels[partners[p]]] = 0.0
    return moved


def modularity_labels(
    links: NDArray[np.int32],
    landmarks: NDArray[np.int64],
    start: NDArray[np.int32],
    *,
    resolution: float = 1.0,
    n_iterations_max: int = 500,
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Labels of spikes and landmarks that maximize the bipartite modularity, from given ones on, until no node moves.

    Parameters
    ----------
    links : (n_spikes, k) int32
        From `landmark_graph`.
    landmarks : (n_landmarks,) int64
    start : (n_spikes,) int32
        Initial labels.
    resolution : float
        Weight of the null model; 1 is modularity.
    n_iterations_max : int
        A bound that is never reached, because the modularity rises with each move.

    Returns
    -------
    labels : (n_spikes,) int32
        0, 1, … without gaps, in order of first occurrence.
    landmark_labels : (n_landmarks,) int32
        In the same numbering.

    Examples
    --------
    >>> links = np.array([[1], [0], [3], [2]], np.int32)
    >>> modularity_labels(links, np.arange(4), np.array([0, 0, 1, 1], np.int32))[0].tolist()
    [0, 0, 1, 1]
    """
    n_spikes, n_landmarks = len(links), len(landmarks)
    n_labels = int(start.max(initial=0)) + 1
    labels, landmark_labels = start.copy(), start[landmarks].copy()
    if links.size:
        forward = np.arange(n_spikes + 1, dtype=np.int64) * links.shape[1]
        partners = np.ascontiguousarray(links).ravel()
        offsets, spikes = _reverse(links, n_landmarks)
        own, other = np.full(n_spikes, float(links.shape[1])), np.diff(offsets).astype(np.float64)
        for _ in range(n_iterations_max):
            degrees = np.bincount(labels, weights=own, minlength=n_labels) / links.size
            moved = _reassign(offsets, spikes, labels, degrees, n_labels, resolution, landmark_labels)
            degrees = np.bincount(landmark_labels, weights=other, minlength=n_labels) / links.size
            moved += _reassign(forward, partners, landmark_labels, degrees, n_labels, resolution, labels)
            if not moved:
                break
    used, numbers = np.unique(labels, return_inverse=True)
    number_of = np.full(n_labels, -1, np.int32)
    number_of[used] = np.arange(len(used), dtype=np.int32)
    # A landmark without linked spikes never moved, and may keep a label that no spike has any longer.
    found = number_of[landmark_labels]
    spike_labels = numbers.astype(np.int32)
    return spike_labels, np.where(found >= 0, found, spike_labels[landmarks]).astype(np.int32)
