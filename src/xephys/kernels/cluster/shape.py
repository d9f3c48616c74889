"""Compare clusters by the shape of their mean features, regardless of amplitude and small delays.

Two clusters whose means differ only by a scale and a fraction of a sample are one unit. Sampling jitter splits loud
units (the gap between two sampling phases of a 150 µV spike is many noise units wide), and bursts split units by
amplitude. Both gaps are real, and no test of bimodality can distinguish them from those between two units.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.inner import kernel
from xephys.kernels.lib.interpolate.spline import spline_through


def shift_operators(basis: NDArray[np.float32], shifts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Matrices that delay a waveform given by its coefficients on temporal components.

    Parameters
    ----------
    basis : (n_components, n_samples) float32
        Orthonormal rows.
    shifts : (n_shifts,) float64
        Delays in samples, fractions allowed. Samples that enter from outside the window are 0.

    Returns
    -------
    operators : (n_shifts, n_components, n_components) float64
        ``coefficients @ operators[s]`` are the coefficients of the delayed waveform.

    Examples
    --------
    >>> import numpy as np
    >>> float(shift_operators(np.array([[0.0, 1.0, 0.0]]), np.array([0.0]))[0, 0, 0])
    1.0
    """
    n_samples = basis.shape[1]
    times = np.arange(n_samples, dtype=np.float64)
    spline = spline_through(times, basis.T.astype(np.float64))
    operators = np.empty((len(shifts), len(basis), len(basis)))
    for s, shift in enumerate(shifts):
        at = times - shift
        inside = (at >= 0) & (at <= n_samples - 1)
        moved = np.where(inside, spline(np.clip(at, 0, n_samples - 1)).T, 0.0)
        operators[s] = moved @ basis.T.astype(np.float64)
    return operators


def cluster_means(
    projection: NDArray[np.float32],
    channel_index: NDArray[np.int64],
    labels: NDArray[np.int32],
    neighbors: NDArray[np.int32],
    *,
    fraction_min: float = 0.25,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Mean features of each cluster on every channel of the probe.

    Parameters
    ----------
    projection : (n_spikes, k, n_components) float32
    channel_index : (n_spikes,) int64
    labels : (n_spikes,) int32
        Spikes with −1 are left out.
    neighbors : (n_channels, k) int32
    fraction_min : float
        Channels measured for a smaller fraction of the cluster's spikes are treated as not measured.

    Returns
    -------
    means : (n_clusters, n_channels, n_components) float64
        0 where not measured.
    measured : (n_clusters, n_channels) bool

    Examples
    --------
    >>> import numpy as np
    >>> projection = np.array([[[1.0]], [[3.0]]], np.float32)
    >>> means, measured = cluster_means(projection, np.array([0, 0]), np.array([0, 0], np.int32), np.array([[0]]))
    >>> float(means[0, 0, 0]), bool(measured[0, 0])
    (2.0, True)
    """
    n_clusters = int(labels.max(initial=-1)) + 1
    n_channels, _ = neighbors.shape
    sums = np.zeros((n_clusters, n_channels, projection.shape[2]))
    counts = np.zeros((n_clusters, n_channels), np.int64)
    sizes = np.bincount(labels[labels >= 0], minlength=n_clusters)
    _add_up(projection, channel_index, labels, neighbors, sums, counts)
    measured = counts > np.maximum(fraction_min * sizes[:, None], 0)
    means = np.where(measured[:, :, None], sums / np.maximum(counts, 1)[:, :, None], 0.0)
    return means, measured


@kernel
def _add_up(
    projection: NDArray[np.float32],
    channel_index: NDArray[np.int64],
    labels: NDArray[np.int32],
    neighbors: NDArray[np.int32],
    sums: NDArray[np.float64],
    counts: NDArray[np.int64],
) -> None:
    for spike in range(labels.size):
        cluster = labels[spike]
        if cluster < 0:
            continue
        for slot in range(neighbors.shape[1]):
            channel = neighbors[channel_index[spike], slot]
            if channel >= 0:
                counts[cluster, channel] += 1
                for p in range(projection.shape[2]):
                    sums[cluster, channel, p] += projection[spike, slot, p]


def shape_residual(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    operators: NDArray[np.float64],
    *,
    scale_min: float = 0.5,
) -> tuple[float, float, int]:
    """The residual of one mean after the best scaled and delayed copy of another is subtracted.

    Parameters
    ----------
    first, second : (n_channels, n_components) float64
        Means on the channels measured for both.
    operators : (n_shifts, n_components, n_components) float64
        From `shift_operators`.
    scale_min : float
        The copy's scale is kept between this and its inverse.

    Returns
    -------
    residual : float
        Norm of the residual over the norm of ``second``.
    scale : float
    shift : int
        Index into ``operators``.

    Examples
    --------
    >>> import numpy as np
    >>> mean = np.array([[1.0, 2.0]])
    >>> shape_residual(mean, 0.8 * mean, np.eye(2)[None])
    (0.0, 0.8, 0)
    """
    moved = np.einsum("cp,spq->scq", first, operators)
    energy = np.einsum("scq,scq->s", moved, moved)
    overlap = np.einsum("scq,cq->s", moved, second)
    scale = np.clip(overlap / np.maximum(energy, 1e-12), scale_min, 1.0 / scale_min)
    rest = moved * scale[:, None, None] - second
    squares = np.einsum("scq,scq->s", rest, rest)
    best = int(squares.argmin())
    total = float((second**2).sum())
    return float(np.sqrt(squares[best] / max(total, 1e-12))), float(scale[best]), best
