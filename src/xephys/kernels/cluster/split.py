"""Cluster a cloud of features by repeated splitting, each time in the cloud's own few principal axes.

In one pass, the principal axes of the cloud are computed, the cloud is over-clustered by density modes, and linked
modes are joined unless a held-out discriminant shows a gap between them. Each part is then treated in the same way:
axes in which two similar units differ only appear once the units around them are gone.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xephys.kernels.cluster.bimodality import bimodality, held_out_projection, separation
from xephys.kernels.cluster.density import nearest_points
from xephys.kernels.cluster.halves import cut_in_two
from xephys.kernels.cluster.modes import joined_modes
from xephys.kernels.lib.arrays import empty, zeros
from xephys.kernels.lib.inner import KERNEL

SPLIT = np.dtype(
    [
        ("unit", np.int32),
        ("part", np.int32),
        ("num_spikes", np.int64),
        ("beside", np.int32),
        ("depth", np.float64),
        ("ratio", np.float64),
        ("separation", np.float64),
        ("reason", "U40"),
    ]
)
"""A part of a unit that was split off, the larger part next to it, and what separates the two."""


def principal_axes(features: NDArray[np.float32], *, n_dims_max: int) -> NDArray[np.float32]:
    """Project features on their leading principal axes.

    Parameters
    ----------
    features : (n_spikes, n_features) float32
    n_dims_max : int
        Maximum number of axes.

    Returns
    -------
    projected : (n_spikes, min(n_dims_max, n_features)) float32
        Centered. The sign of an axis makes its largest coefficient positive, so that it is reproducible.

    Examples
    --------
    >>> import numpy as np
    >>> principal_axes(np.array([[0, 1], [0, 3]], np.float32), n_dims_max=1)
    array([[-1.],
           [ 1.]], dtype=float32)
    """
    # Axes from at most 20 000 evenly spread spikes, which suffice for the covariance of a few hundred features.
    sample = features[:: max(1, len(features) // 20_000)].astype(np.float64)
    mean = sample.mean(axis=0)
    sample -= mean
    _, vectors = np.linalg.eigh(sample.T @ sample)
    axes = vectors[:, ::-1][:, :n_dims_max]
    largest = axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])]
    axes = axes * np.where(largest < 0, -1.0, 1.0)
    projected: NDArray[np.float32] = (features - mean.astype(np.float32)) @ axes.astype(np.float32)
    return projected


@njit(**KERNEL, error_model="numpy")
def _vote(indices: NDArray[np.int32], labels: NDArray[np.int32], n_labels: int) -> NDArray[np.int32]:
    votes = zeros(n_labels, np.int32)
    chosen = empty(indices.shape[0], np.int32)
    for i in range(indices.shape[0]):
        votes[:] = 0
        for slot in range(indices.shape[1]):
            votes[labels[indices[i, slot]]] += 1
        chosen[i] = np.argmax(votes)
    return chosen


def split_once(
    features: NDArray[np.float32],
    *,
    n_dims_max: int,
    n_neighbors: int,
    n_spikes_min: int,
    depth_min: float,
    ratio_max: float,
    n_landmarks_max: int,
    halve: bool = False,
) -> NDArray[np.int32]:
    """One pass of `split_features`: labels of the parts of one cloud, all 0 if it holds together."""
    projected = principal_axes(features, n_dims_max=n_dims_max)
    n_spikes = len(projected)
    stride = max(1, -(-n_spikes // n_landmarks_max))
    landmarks = np.ascontiguousarray(projected[::stride])
    if len(landmarks) <= max(n_spikes_min, 2):
        return np.zeros(n_spikes, np.int32)
    labels: NDArray[np.int32] = joined_modes(
        landmarks, min(n_neighbors, len(landmarks) - 1), max(4, n_spikes_min // stride), depth_min, ratio_max
    )
    if halve and labels.max() == 0:
        labels = cut_in_two(landmarks, n_spikes_min=max(4, n_spikes_min // stride))
    if stride > 1 and labels.max() > 0:
        nearest, _ = nearest_points(projected, landmarks, False, 5)
        labels = _vote(nearest, labels, int(labels.max()) + 1)
    elif stride > 1:
        labels = np.zeros(n_spikes, np.int32)
    return labels


def split_features(
    features: NDArray[np.float32],
    *,
    n_dims_max: int = 8,
    n_neighbors: int = 15,
    n_spikes_min: int = 20,
    depth_min: float = 3.5,
    ratio_max: float = 0.7,
    n_landmarks_max: int = 4000,
    n_levels_max: int = 12,
    halve: bool = False,
) -> NDArray[np.int32]:
    """Cluster the spikes of one section or unit.

    Parameters
    ----------
    features : (n_spikes, n_features) float32
        Waveform projections on channels common to all the spikes.
    n_dims_max : int
        Number of principal axes used for each cloud and sub-cloud.
    n_neighbors : int
        Number of neighbors that measure the density, and among which a spike looks for a denser one. More give fewer
        modes.
    n_spikes_min : int
        Minimum size of a cluster.
    depth_min, ratio_max : float
        Two groups stay separate if the valley between them is at least this number of standard errors deep and holds at
        most this fraction of the spikes of the lower shoulder.
    n_landmarks_max : int
        Larger clouds are clustered on evenly spaced spikes; the others get the label of the nearest of these.
    n_levels_max : int
        Maximum depth of the recursion.
    halve : bool
        Also split clusters without a gap if their halves are those of two groups that touch, see `cut_in_two`.

    Returns
    -------
    labels : (n_spikes,) int32
        0, 1, … by decreasing size. Parts smaller than ``n_spikes_min`` are −1.

    Examples
    --------
    >>> import numpy as np
    >>> points = np.random.default_rng(0).standard_normal((300, 5)).astype("float32")
    >>> points[200:, 0] += 9
    >>> np.bincount(split_features(points))
    array([200, 100])
    """
    n_spikes = len(features)
    labels = np.full(n_spikes, -1, np.int32)
    parts: list[NDArray[np.intp]] = []
    pending = [(np.arange(n_spikes), 0)]
    while pending:
        part, level = pending.pop()
        if len(part) < n_spikes_min:
            continue
        if len(part) < 2 * n_spikes_min or level == n_levels_max:
            parts.append(part)
            continue
        split = split_once(
            features[part],
            n_dims_max=n_dims_max,
            n_neighbors=n_neighbors,
            n_spikes_min=n_spikes_min,
            depth_min=depth_min,
            ratio_max=ratio_max,
            n_landmarks_max=n_landmarks_max,
            halve=halve,
        )
        n_parts = int(split.max()) + 1
        if n_parts == 1:
            parts.append(part)
        else:
            pending.extend((part[split == p], level + 1) for p in range(n_parts))
    for rank, part in enumerate(sorted(parts, key=lambda p: (-len(p), int(p[0])))):
        labels[part] = rank
    return labels


def split_evidence(
    features: NDArray[np.float32],
    labels: NDArray[np.int32],
    *,
    depth_min: float,
    ratio_max: float,
    n_dims_max: int = 8,
) -> NDArray[np.void]:
    """Evidence for the parts of `split_features`: one record for each part but the largest.

    Parameters
    ----------
    features : (n_spikes, n_features) float32
    labels : (n_spikes,) int32
        In order of decreasing size; -1 is left out.
    depth_min, ratio_max : float
        Limits of a gap.
    n_dims_max : int
        Number of principal axes used to compare two parts.

    Returns
    -------
    splits : structured array of dtype `SPLIT`
        Each part with the nearest of the larger ones, the gap between them along their held-out discriminant (see
        `bimodality`) and their `separation`; ``unit`` is -1. The gap that led to the split was between larger groups,
        and may have been deeper.

    Examples
    --------
    >>> import numpy as np
    >>> points = np.random.default_rng(0).standard_normal((300, 5)).astype("float32")
    >>> points[200:, 0] += 9
    >>> labels = np.repeat(np.array([0, 1], np.int32), [200, 100])
    >>> found = split_evidence(points, labels, depth_min=3.0, ratio_max=0.8)
    >>> found[["part", "num_spikes", "beside", "reason"]].tolist()
    [(1, 100, 0, 'a gap between their spikes')]
    """
    n_parts = int(labels.max(initial=-1)) + 1
    splits = []
    groups = [features[labels == part] for part in range(n_parts)]
    centers = [group.mean(axis=0, dtype=np.float64) for group in groups]
    for part in range(1, n_parts):
        beside = int(np.argmin([np.linalg.norm(centers[part] - center) for center in centers[:part]]))
        both = principal_axes(np.concatenate([groups[beside], groups[part]]), n_dims_max=n_dims_max)
        first, second = np.split(both, [len(groups[beside])])
        depth, ratio = bimodality(first, second)
        apart = separation(*held_out_projection(first, second)) if min(len(first), len(second)) >= 4 else 0.0
        gap = depth >= depth_min and ratio <= ratio_max
        reason = "a gap between their spikes" if gap else "too far apart for one cloud"
        splits.append((-1, part, len(groups[part]), beside, depth, ratio, apart, reason))
    return np.array(splits, SPLIT)
