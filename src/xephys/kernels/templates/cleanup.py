"""Make templates from the means of clusters: convert them to waveforms, align them, merge near duplicates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.curate.merge import merge_candidates


def slots_of_means(
    means: NDArray[np.float64], measured: NDArray[np.bool_], components: NDArray[np.floating]
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Waveforms of clusters on the channels on which they were measured, from their mean features.

    Parameters
    ----------
    means : (unit, channel, component) float64
    measured : (unit, channel) bool
    components : (component, sample) float
        Orthonormal components.

    Returns
    -------
    waveforms : (unit, sample, slot) float32
    channels : (unit, slot) int32
        Ascending, -1 where empty.

    Examples
    --------
    >>> waveforms, channels = slots_of_means(np.array([[[0.0], [2.0]]]), np.array([[False, True]]), np.eye(1, 3))
    >>> waveforms[0, :, 0].tolist(), channels.tolist()
    ([2.0, 0.0, 0.0], [[1]])
    """
    n_units, n_slots = len(means), int(measured.sum(axis=1).max(initial=1))
    channels = np.full((n_units, n_slots), -1, np.int32)
    waveforms = np.zeros((n_units, components.shape[1], n_slots), np.float32)
    for unit in range(n_units):
        own = np.flatnonzero(measured[unit])
        channels[unit, : len(own)] = own
        waveforms[unit, :, : len(own)] = (means[unit, own] @ components).T
    return waveforms, channels


def template_delays(
    waveforms: NDArray[np.float32], shapes: NDArray[np.float32], *, nbefore: int, delay_samples_max: int
) -> NDArray[np.int64]:
    """Number of samples by which each template's spike is late: where a shape fits best on any channel.

    Parameters
    ----------
    waveforms : (unit, sample, slot) float32
    shapes : (shape, sample) float32
        Aligned on `nbefore`.
    nbefore : int
        Position where the spike should be.
    delay_samples_max : int
        Maximum delay tried in either direction.

    Returns
    -------
    (unit,) int64

    Examples
    --------
    >>> shape = np.array([[0, 0, 1, 0, 0]], np.float32)
    >>> template_delays(-np.eye(5, dtype=np.float32)[None, :, 3:4], shape, nbefore=2, delay_samples_max=2).tolist()
    [1]
    """
    n_samples = waveforms.shape[1]
    delays = np.arange(-delay_samples_max, delay_samples_max + 1)
    best = np.zeros((len(waveforms), len(delays)))
    for d, delay in enumerate(delays):
        moved = np.zeros_like(shapes)
        moved[:, max(delay, 0) : n_samples + min(delay, 0)] = shapes[:, max(-delay, 0) : n_samples - max(delay, 0)]
        fit = np.abs(np.einsum("lt,utk->ulk", moved, waveforms, optimize=True))
        best[:, d] = fit.max(axis=(1, 2), initial=0.0)
    # Ties go to the smallest delay.
    order = np.argsort(np.abs(delays), kind="stable")
    return np.asarray(delays[order][best[:, order].argmax(axis=1)], np.int64)


def moved_templates(waveforms: NDArray[np.float32], delays: NDArray[np.int64]) -> NDArray[np.float32]:
    """Shift each template earlier by its delay in samples, filling with 0.

    Examples
    --------
    >>> moved_templates(np.array([[[1.0], [2], [3]]], np.float32), np.array([1])).ravel().tolist()
    [2.0, 3.0, 0.0]
    """
    moved = np.zeros_like(waveforms)
    n_samples = waveforms.shape[1]
    for unit, delay in enumerate(delays.tolist()):
        part = waveforms[unit, max(delay, 0) : n_samples + min(delay, 0)]
        moved[unit, max(-delay, 0) : max(-delay, 0) + len(part)] = part
    return moved


def merge_duplicates(
    waveforms: NDArray[np.float32],
    channels: NDArray[np.int32],
    counts: NDArray[np.int64],
    *,
    lag_samples_max: int,
    similarity_min: float = 0.9,
    difference_max: float = 0.2,
) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int32]]:
    """Merge templates that are alike in shape and size, starting with the one with most spikes.

    Parameters
    ----------
    waveforms : (unit, sample, slot) float32
    channels : (unit, slot) int32
        -1 where empty.
    counts : (unit,) int64
        Number of spikes of each, the weights of the mean.
    lag_samples_max : int
        Maximum delay between two of them.
    similarity_min : float
        Minimum cosine at the best delay.
    difference_max : float
        Maximum difference of norms, as a fraction of their mean.

    Returns
    -------
    waveforms : (m, sample, slot or more) float32
    channels : (m, slot or more) int32
    target : (unit,) int32
        Which of the m templates each became part of.

    Examples
    --------
    >>> waveforms = np.zeros((3, 4, 1), np.float32)
    >>> waveforms[:, 1, 0] = 5, 5.2, 9
    >>> merged, _, target = merge_duplicates(waveforms, np.zeros((3, 1), np.int32), np.array([3, 1, 1]),
    ...                                      lag_samples_max=1)
    >>> target.tolist(), round(float(merged[0, 1, 0]), 2)
    ([0, 0, 1], 5.05)
    """
    n_units = len(waveforms)
    norms = np.sqrt((waveforms.astype(np.float64) ** 2).sum(axis=(1, 2)))
    partners: dict[int, list[tuple[float, int, int]]] = {unit: [] for unit in range(n_units)}
    for a, b, similarity, lag, _ in merge_candidates(
        waveforms, channels, lag_samples_max=lag_samples_max, similarity_min=similarity_min
    ).tolist():
        if 2.0 * abs(norms[a] - norms[b]) / max(norms[a] + norms[b], 1e-12) < difference_max:
            partners[a].append((-similarity, b, lag))
            partners[b].append((-similarity, a, -lag))
    root, lags = np.full(n_units, -1, np.int64), np.zeros(n_units, np.int64)
    for unit in np.lexsort((np.arange(n_units), -counts)).tolist():
        if root[unit] >= 0:
            continue
        root[unit] = unit
        for _, other, lag in sorted(partners[unit]):
            if root[other] < 0:
                root[other], lags[other] = unit, lag
    kept, target = np.unique(root, return_inverse=True)
    aligned = moved_templates(waveforms, lags)
    used = [np.unique(channels[root == unit]) for unit in kept]
    n_slots = max((int((u >= 0).sum()) for u in used), default=1)
    merged = np.zeros((len(kept), waveforms.shape[1], max(n_slots, 1)), np.float32)
    slots = np.full((len(kept), max(n_slots, 1)), -1, np.int32)
    for row, (unit, own) in enumerate(zip(kept.tolist(), used, strict=True)):
        own = own[own >= 0]
        slots[row, : len(own)] = own
        total, weight = np.zeros((waveforms.shape[1], len(own))), np.zeros(len(own))
        for member in np.flatnonzero(root == unit):
            filled = channels[member] >= 0
            at = np.searchsorted(own, channels[member, filled])
            total[:, at] += counts[member] * aligned[member][:, filled].astype(np.float64)
            weight[at] += counts[member]
        merged[row, :, : len(own)] = total / np.maximum(weight, 1)
    return merged, slots, target.astype(np.int32)
