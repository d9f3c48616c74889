"""Shapes of spikes on one channel: select isolated peaks, and find the centers of their clips.

All sums run in the order of the clips, so that the same clips give the same bits with any number of threads.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import copy_values, full, zeros
from xephys.kernels.lib.inner import kernel


@kernel
def _isolation_mask(
    samples: NDArray[np.int64], channels: NDArray[np.int64], near: NDArray[np.bool_], sweep: int
) -> NDArray[np.bool_]:
    alone = full(samples.size, True, np.bool_)
    for i in range(samples.size):
        j = i + 1
        while j < samples.size and samples[j] - samples[i] <= sweep:
            if near[channels[i], channels[j]]:
                alone[i] = alone[j] = False
            j += 1
    return alone


def isolated_peaks(
    samples: NDArray[np.int64], channels: NDArray[np.int64], *, near: NDArray[np.bool_], exclude_sweep_samples: int
) -> NDArray[np.bool_]:
    """Mask of the peaks without another one nearby.

    Parameters
    ----------
    samples, channels : int64 (peak,)
        In order of sample.
    near : bool (channel, channel)
        Whether two channels are neighbors.
    exclude_sweep_samples : int
        Maximum time between two peaks that disturb one another.

    Returns
    -------
    bool (peak,)

    Examples
    --------
    >>> near = np.ones((2, 2), bool)
    >>> isolated_peaks(np.array([10, 15, 90]), np.array([0, 1, 0]), near=near, exclude_sweep_samples=30)
    array([False, False,  True])
    """
    return np.asarray(
        _isolation_mask(
            np.ascontiguousarray(samples, np.int64),
            np.ascontiguousarray(channels, np.int64),
            near,
            int(exclude_sweep_samples),
        )
    )


@kernel
def _assign(clips: NDArray[np.float64], centers: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Label of the nearest center for every clip, and the sum of the squared distances."""
    total = 0.0
    for i in range(clips.shape[0]):
        best = np.inf
        for k in range(centers.shape[0]):
            square = 0.0
            for t in range(clips.shape[1]):
                difference = clips[i, t] - centers[k, t]
                square += difference * difference
            if square < best:
                best, labels[i] = square, k
        total += best
    return total


@kernel
def _means(clips: NDArray[np.float64], labels: NDArray[np.int64], centers: NDArray[np.float64]) -> None:
    """Means of the clips of each label; a center without clips keeps its position."""
    sums, counts = zeros(centers.shape), zeros(centers.shape[0], np.int64)
    for i in range(clips.shape[0]):
        counts[labels[i]] += 1
        for t in range(clips.shape[1]):
            sums[labels[i], t] += clips[i, t]
    for k in range(centers.shape[0]):
        if counts[k]:
            copy_values(sums[k] / counts[k], centers[k])


@kernel
def _squares_to(clips: NDArray[np.float64], center: NDArray[np.float64], nearest: NDArray[np.float64]) -> None:
    for i in range(clips.shape[0]):
        square = 0.0
        for t in range(clips.shape[1]):
            difference = clips[i, t] - center[t]
            square += difference * difference
        nearest[i] = min(nearest[i], square)


def learn_shapes(
    clips: NDArray[np.floating],
    *,
    n_shapes: int,
    n_restarts: int = 10,
    n_iterations_max: int = 100,
    seed: int = 0,
) -> NDArray[np.float32]:
    """Centers of clips of unit norm, by k-means with seeded starts (k-means++, Arthur & Vassilvitskii 2007).

    Parameters
    ----------
    clips : (n, T) float
        Snippets on the peak channel, aligned on the peak; scaled to unit norm here. Clips that are all zero or not
        finite are left out.
    n_shapes : int
        Number of centers; fewer if there are fewer different clips.
    n_restarts, n_iterations_max : int
        Number of starts, of which the one with the smallest spread is kept, and maximum number of iterations of each.
    seed : int

    Returns
    -------
    (n_shapes or fewer, T) float32
        Centers of unit norm, in descending order of their number of clips.

    Raises
    ------
    ValueError
        If `n_shapes` is less than 1, or there is no usable clip.

    Examples
    --------
    >>> clips = np.array([[0, 1.0], [0, 2.0], [3.0, 0], [0, 5.0]])
    >>> learn_shapes(clips, n_shapes=2).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    if n_shapes < 1:
        raise ValueError(f"n_shapes is {n_shapes}; give at least 1")
    given = np.asarray(clips, np.float64)
    norms = np.linalg.norm(given, axis=1)
    used = np.isfinite(norms) & (norms > 0)
    if not used.any():
        raise ValueError(f"none of {len(given)} clips is usable; give clips that are finite and not all zero")
    units = np.ascontiguousarray(given[used] / norms[used, None])
    n_centers = min(n_shapes, len(np.unique(units.astype(np.float32), axis=0)))
    rng = np.random.default_rng(seed)
    best, lowest = np.zeros((n_centers, units.shape[1])), np.inf
    labels, final = np.zeros(len(units), np.int64), np.zeros(len(units), np.int64)
    for _ in range(n_restarts):
        centers = np.empty((n_centers, units.shape[1]))
        nearest = np.full(len(units), np.inf)
        centers[0] = units[rng.integers(len(units))]
        for k in range(1, n_centers):
            _squares_to(units, centers[k - 1], nearest)
            reach = np.cumsum(nearest)
            pick = int(np.searchsorted(reach, rng.random() * reach[-1], side="right"))
            centers[k] = units[min(pick, len(units) - 1)]
        spread = np.inf
        for _ in range(n_iterations_max):
            before, spread = spread, _assign(units, centers, labels)
            if spread >= before:
                break
            _means(units, labels, centers)
        if spread < lowest:
            best, lowest, final = centers, spread, labels.copy()
    best = best / np.maximum(np.linalg.norm(best, axis=1, keepdims=True), 1e-12)
    order = np.argsort(-np.bincount(final, minlength=n_centers), kind="stable")
    return np.ascontiguousarray(best[order], np.float32)


def standard_clips(n_samples: int, *, nbefore: int, samples_per_ms: float) -> NDArray[np.float64]:
    """A synthetic family of spikes: troughs and crests of many widths, with what follows them.

    Parameters
    ----------
    n_samples, nbefore : int
        Length of the window, and number of samples before the peak.
    samples_per_ms : float

    Returns
    -------
    (n, n_samples) float64
        Of unit norm, the peak at `nbefore`.

    Examples
    --------
    >>> clips = standard_clips(61, nbefore=20, samples_per_ms=30)
    >>> clips.shape[1], set(np.abs(clips).argmax(axis=1).tolist())
    (61, {20})
    """
    time_ms = (np.arange(n_samples) - nbefore) / samples_per_ms
    clips = []
    for width_ms in (0.06, 0.08, 0.11, 0.15, 0.2):
        trough = -np.exp(-0.5 * (time_ms / width_ms) ** 2)
        for size in (0.1, 0.25, 0.4, 0.6):
            for delay in (2.5, 3.5, 5.0):
                for broad in (1.5, 2.5):
                    after = np.exp(-0.5 * ((time_ms - delay * width_ms) / (broad * width_ms)) ** 2)
                    for early in (0.0, 0.25):
                        ahead = np.exp(-0.5 * ((time_ms + 2.5 * width_ms) / width_ms) ** 2)
                        clips.append(trough + size * after + early * ahead)
    family = np.array(clips)
    family /= np.linalg.norm(family, axis=1, keepdims=True)
    family = np.concatenate([family, -family])
    peaked: NDArray[np.float64] = family[np.abs(family).argmax(axis=1) == nbefore]
    return peaked
