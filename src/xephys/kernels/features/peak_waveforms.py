"""Learn the mean waveforms of each channel's peaks, as a mixture.

The peaks of a channel, made such that their noise is white, are clustered by direction. Then they are shared out anew
between the means by their likelihoods, while their times are estimated.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.features.autocovariance import precision_of
from xephys.kernels.features.peak_times import MOVE_MAX, N_TAPS_HALF, dual_of, estimate_times, shifted
from xephys.kernels.lib.arrays import empty, full, zeros
from xephys.kernels.lib.inner import kernel

#: A waveform is the mean of at least this many peaks.
N_PEAKS_MIN = 15
N_CLUSTERINGS, N_ROUNDS = 20, 4


def learn_peak_waveforms(
    snippets: NDArray[np.float32],
    channels: NDArray[np.integer[Any]],
    offsets: NDArray[np.floating[Any]],
    *,
    n_channels: int,
    n_waveforms: int,
    autocovariance: NDArray[np.float64],
) -> dict[str, NDArray[Any]]:
    """Mean waveforms of the peaks of each channel, as a mixture.

    Parameters
    ----------
    snippets : float32 (peak, sample)
        Around each peak on its channel, in units of the noise, turned so that peaks are troughs; `MARGIN` samples
        longer than a waveform on either side.
    channels : int (peak,)
        Channel of each.
    offsets : float (peak,)
        Time of each after the snippet's middle, as far as it is known, in samples.
    n_channels, n_waveforms : int
        Number of channels, and of waveforms per channel.
    autocovariance : float64 (sample,)
        Of noise, as long as a waveform.

    Returns
    -------
    dict
        ``waveforms`` (float32 (channel, waveform, sample)), the trough of each -1; ``share`` (float64 (channel,
        waveform)) of the channel's peaks, 0 where there is no waveform; ``trough`` (float64 (channel, waveform)), the
        time of the lowest point after the middle, in samples.
    """
    length = len(autocovariance)
    precision = precision_of(autocovariance)
    times = np.clip(offsets, -MOVE_MAX, MOVE_MAX).astype(np.float64)
    aligned = shifted(snippets, times, length)
    labels = np.full(len(snippets), -1, np.int64)
    root = np.linalg.cholesky(precision)
    order = np.argsort(channels, kind="stable")
    bounds = np.searchsorted(channels[order], np.arange(n_channels + 1))
    whitened = np.ascontiguousarray(aligned @ root)
    for channel in np.flatnonzero(np.diff(bounds) >= N_PEAKS_MIN):
        mine = order[bounds[channel] : bounds[channel + 1]]
        labels[mine] = cluster_by_direction(whitened[mine], n_waveforms, N_CLUSTERINGS)
    sums = np.zeros((n_channels, n_waveforms, length))
    weights, counts = np.zeros((2, n_channels, n_waveforms))
    known = labels >= 0
    at = (channels[known], labels[known])
    height = np.maximum(-aligned[known, length // 2], 1.0)
    np.add.at(sums, at, height[:, None] * aligned[known])
    np.add.at(weights, at, height**2)
    np.add.at(counts, at, 1.0)
    for _ in range(N_ROUNDS):
        model = _model_of(sums, weights, counts)
        sums, weights, counts = np.zeros_like(sums), np.zeros_like(weights), np.zeros_like(counts)
        estimate_times(snippets, channels.astype(np.int64), times, dual_of(model, precision), (sums, weights, counts))
    return _model_of(sums, weights, counts)


def evenly_per_channel(peaks: NDArray[np.void], n_peaks_max: int) -> NDArray[np.void]:
    """At most this many peaks of each channel, evenly spread, in the order given.

    Examples
    --------
    >>> peaks = np.zeros(5, [("channel_index", "i8")])
    >>> peaks["channel_index"] = 0, 0, 1, 0, 0
    >>> evenly_per_channel(peaks, 2)["channel_index"].tolist()
    [0, 1, 0]
    """
    channels = peaks["channel_index"]
    order = np.argsort(channels, kind="stable")
    _, first, count = np.unique(channels[order], return_index=True, return_counts=True)
    rank = np.arange(len(peaks)) - np.repeat(first, count)
    n = np.repeat(count, count)
    kept = (rank * n_peaks_max // n != (rank - 1) * n_peaks_max // n) | (n <= n_peaks_max)
    return np.asarray(peaks[np.sort(order[kept])])


def _model_of(
    sums: NDArray[np.float64], weights: NDArray[np.float64], counts: NDArray[np.float64]
) -> dict[str, NDArray[Any]]:
    """Means of what was summed, with their troughs at -1."""
    known = (counts >= N_PEAKS_MIN) & (weights > 0)
    means = np.where(known[..., None], sums / np.where(known, weights, 1.0)[..., None], 0.0)
    trough, depth = _troughs(means)
    known &= depth > 0
    share = np.where(known, counts, 0.0)
    share /= np.maximum(share.sum(axis=1, keepdims=True), 1e-9)
    waveforms = np.where(known[..., None], means / np.where(known, depth, 1.0)[..., None], 0.0)
    return {"waveforms": waveforms.astype(np.float32), "share": share, "trough": np.where(known, trough, 0.0)}


def _troughs(means: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Time after the middle, in samples, and depth of the lowest point near the middle."""
    half, step = means.shape[-1] // 2, 1.0 / 16
    places = np.arange(-MOVE_MAX, MOVE_MAX + step / 2, step)
    taps = np.arange(-MOVE_MAX - N_TAPS_HALF, MOVE_MAX + N_TAPS_HALF + 1)
    distance = places[:, None] - taps
    inside = np.abs(distance) < N_TAPS_HALF + 1
    weight = np.where(inside, np.sinc(distance) * np.cos(np.pi / 2 * distance / (N_TAPS_HALF + 1)) ** 2, 0.0)
    weight /= weight.sum(axis=1, keepdims=True)
    fine = means[..., half + taps] @ weight.T
    at = np.clip(fine.argmin(axis=-1), 1, len(places) - 2)
    left, middle, right = (np.take_along_axis(fine, (at + d)[..., None], -1)[..., 0] for d in (-1, 0, 1))
    curve = left - 2 * middle + right
    bent = np.clip(np.where(curve > 0, 0.5 * (left - right) / np.where(curve > 0, curve, 1.0), 0.0), -1.0, 1.0)
    return places[at] + bent * step, -middle


@kernel
def cluster_by_direction(points: NDArray[np.float64], n_clusters: int, n_rounds: int) -> NDArray[np.int64]:
    """Cluster vectors by their direction, long ones counting more: k-means on the sphere.

    The first center is the mean of the longest third; each further one is a vector that the centers so far explain
    badly: the tenth worst, since the very worst are outliers.

    Parameters
    ----------
    points : float64 (point, dimension)
        Vectors.
    n_clusters, n_rounds : int
        Number of clusters, some of which may stay empty, and of rounds.

    Returns
    -------
    int64 (point,)
        Cluster of each.
    """
    n, n_dimensions = points.shape
    lengths = np.sqrt((points**2).sum(axis=1))
    centers = zeros((n_clusters, n_dimensions))
    order = np.argsort(-lengths, kind="mergesort")
    for i in order[: max(1, n // 3)]:
        centers[0] += points[i] / max(lengths[i], 1e-12)
    centers[0] /= max(np.sqrt((centers[0] ** 2).sum()), 1e-12)
    likeness, labels = full(n, -1.0), zeros(n, np.int64)
    for k in range(1, n_clusters):
        unlike = empty(n)
        for i in range(n):
            product = 0.0
            for d in range(n_dimensions):
                product += points[i, d] * centers[k - 1, d]
            likeness[i] = max(likeness[i], product / max(lengths[i], 1e-12))
            unlike[i] = (likeness[i] ** 2 - 1.0) * lengths[i] ** 2
        chosen = np.argsort(unlike, kind="mergesort")[min(n - 1, 9)]
        centers[k] = points[chosen] / max(lengths[chosen], 1e-12)
    for _ in range(n_rounds):
        sums = zeros((n_clusters, n_dimensions))
        for i in range(n):
            best = -np.inf
            for k in range(n_clusters):
                product = 0.0
                for d in range(n_dimensions):
                    product += points[i, d] * centers[k, d]
                if product > best:
                    best, labels[i] = product, k
            for d in range(n_dimensions):
                sums[labels[i], d] += lengths[i] * points[i, d]
        for k in range(n_clusters):
            size = np.sqrt((sums[k] ** 2).sum())
            if size > 0:
                centers[k] = sums[k] / size
    return labels
