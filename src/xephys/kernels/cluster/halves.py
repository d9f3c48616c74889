"""Split two groups that touch: their density has one mode, but the axis between them is the widest of the cloud."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xephys.kernels.cluster.bimodality import held_out_projection, separation
from xephys.kernels.cluster.valley import valley_depth
from xephys.kernels.lib.arrays import empty, zeros
from xephys.kernels.lib.inner import KERNEL

#: Number of axes along which a cloud is cut, and of rounds of two-means after the cut.
N_AXES = 3
N_ROUNDS = 20
#: Halves of one Gaussian are 2.65 of their own standard deviations apart, those of a uniform cloud 3.46. For n points
#: in 8 principal axes of 20 to 96, the best of three cuts exceeds 2.65 by less than 12 / sqrt(n) (in 300 clouds of each
#: size up to 500 and 100 clouds of 2000).
ONE_GAUSSIAN = 2.65
CHANCE = 12.0
SEPARATION_MIN = 3.3
#: Limits that distinguish a gap from a flat top: see `valley_depth`.
DEPTH_MIN, RATIO_MAX = 2.5, 0.6


def cut_in_two(points: NDArray[np.float32], *, n_spikes_min: int) -> NDArray[np.int32]:
    """Two-means from cuts along the leading axes, kept if the halves are farther apart than those of one cloud.

    Two units that are 4 to 5 noise units apart leave no second mode in the density of a few hundred spikes in several
    dimensions, and too few spikes around a valley to measure its depth. But along the right axis, each half is narrow
    compared with its distance from the other (`separation`).

    Parameters
    ----------
    points : (n_points, n_dims) float32
        Centered, in order of decreasing variance: principal axes.
    n_spikes_min : int
        Minimum number of points on either side.

    Returns
    -------
    labels : (n_points,) int32
        0 for the larger side and 1 for the other; all 0 if there is no gap.

    Examples
    --------
    >>> import numpy as np
    >>> points = np.random.default_rng(0).standard_normal((400, 5)).astype("float32")
    >>> int(cut_in_two(points, n_spikes_min=20).sum())
    0
    >>> points[:150, 0] += 5
    >>> bool(140 < cut_in_two(points - points.mean(axis=0), n_spikes_min=20).sum() < 160)
    True
    """
    n_points = len(points)
    best, labels = max(SEPARATION_MIN, ONE_GAUSSIAN + CHANCE / np.sqrt(max(n_points, 1))), np.zeros(n_points, np.int32)
    for axis in range(min(N_AXES, points.shape[1])):
        above = _two_means(points, axis, N_ROUNDS)
        if min(above.sum(), n_points - above.sum()) < max(n_spikes_min, 4):
            continue
        low, high = held_out_projection(points[~above], points[above])
        apart = separation(low, high)
        if apart < best:
            continue
        depth, ratio = valley_depth(np.concatenate([low, high]), low=float(np.median(low)), high=float(np.median(high)))
        if depth >= DEPTH_MIN and ratio <= RATIO_MAX:
            best, labels = apart, above.astype(np.int32)
    return labels if 2 * labels.sum() <= n_points else 1 - labels


@njit(**KERNEL, error_model="numpy")
def _two_means(points: NDArray[np.float32], axis: int, n_rounds: int) -> NDArray[np.bool_]:
    """Mask of the points nearer to the upper mean, starting from a cut at the center of an axis."""
    n_points, n_dims = points.shape
    above = points[:, axis] > 0
    means = empty((2, n_dims))
    for _ in range(n_rounds):
        means[:] = 0.0
        counts = zeros(2, np.int64)
        for i in range(n_points):
            side = int(above[i])
            counts[side] += 1
            for d in range(n_dims):
                means[side, d] += points[i, d]
        if counts[0] == 0 or counts[1] == 0:
            break
        for d in range(n_dims):
            means[0, d] /= counts[0]
            means[1, d] /= counts[1]
        changed = False
        for i in range(n_points):
            along = 0.0
            for d in range(n_dims):
                along += (points[i, d] - (means[1, d] + means[0, d]) / 2) * (means[1, d] - means[0, d])
            changed |= above[i] != (along > 0)
            above[i] = along > 0
        if not changed:
            break
    return above
