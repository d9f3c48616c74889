"""Silence: stretches in which a channel is constant, as after lost packets, during blanking or at a rail.

A running converter never gives the same value for milliseconds, because there is always noise. Whether a sample is
silent depends only on the run of equal values around it, so a tile decides like the whole recording if its halo on
either side is as long as the shortest silent run.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import zeros
from xephys.kernels.lib.inner import kernel

RUN = np.dtype(
    [("sample_index", np.int64), ("channel_index", np.int64), ("segment_index", np.int64), ("num_samples", np.int64)]
)
"""A stretch in which a channel is silent: its first sample and its length."""


@kernel
def silent_samples(traces: NDArray[Any], n_samples_min: int) -> NDArray[np.bool_]:
    """Mask of the samples in a run of equal values.

    Parameters
    ----------
    traces : (sample, channel)
        As recorded, before any filter.
    n_samples_min : int
        Minimum length of a run that counts as silence.

    Returns
    -------
    silent : (sample, channel) bool

    Examples
    --------
    >>> silent_samples(np.array([[1], [5], [5], [5], [2], [2]]), 3)[:, 0].tolist()
    [False, True, True, True, False, False]
    """
    n, n_channels = traces.shape
    silent = zeros((n, n_channels), np.bool_)
    # A run that is long enough holds one of these samples and the one before it: few have to be looked at.
    step = max(n_samples_min - 1, 1)
    for t in range(0 if n_samples_min < 2 else step, n, step):
        for c in range(n_channels):
            if silent[t, c] or (n_samples_min >= 2 and traces[t, c] != traces[t - 1, c]):
                continue
            first, last = t, t
            while first > 0 and traces[first - 1, c] == traces[t, c]:
                first -= 1
            while last + 1 < n and traces[last + 1, c] == traces[t, c]:
                last += 1
            if last - first + 1 >= n_samples_min:
                for row in range(first, last + 1):
                    silent[row, c] = True
    return silent


def live_rows(silent: list[NDArray[np.bool_]], *, share_min: float = 0.05) -> list[NDArray[np.bool_]]:
    """Mask of the samples of excerpts that can be used for estimates over all channels at once.

    Parameters
    ----------
    silent : list of (sample, channel) bool
        From `silent_samples`, one array per excerpt.
    share_min : float
        If a smaller share of the samples is live on every channel, those that are live on half of the channels are
        used. Channels that are silent throughout are ignored.

    Returns
    -------
    live : list of (sample,) bool

    Examples
    --------
    >>> silent = np.array([[False, True], [True, True], [False, True]])
    >>> [rows.tolist() for rows in live_rows([silent])]
    [[True, False, True]]
    """
    everything = [np.ones(len(part), np.bool_) for part in silent]
    if not any(part.any() for part in silent):  # the usual case, at a fraction of the cost
        return everything
    speaks = ~np.all([part.all(axis=0) for part in silent], axis=0)
    if not speaks.any():
        return everything
    shares = [part[:, speaks].mean(axis=1) for part in silent]
    for most in (0.0, 0.5):
        live = [share <= most for share in shares]
        if np.concatenate(live).mean() >= share_min:
            return live
    return everything


@kernel
def _fill(
    traces: NDArray[Any],
    silent: NDArray[np.bool_],
    neighbors: NDArray[np.int32],
    weights: NDArray[np.float32],
    filled: NDArray[Any],
) -> None:
    """Fill each silent sample from its channel's own level and the deviations of live neighbors from theirs."""
    n, n_channels = traces.shape
    levels = zeros(n_channels, np.float64)
    for c in range(n_channels):
        count = 0
        for t in range(n):
            if not silent[t, c]:
                levels[c] += traces[t, c]
                count += 1
        levels[c] = levels[c] / count if count else 0.0
    for t in range(n):
        for c in range(n_channels):
            if not silent[t, c]:
                filled[t, c] = traces[t, c]
                continue
            total, weight = 0.0, 0.0
            for k in range(neighbors.shape[1]):
                other = neighbors[c, k]
                if other >= 0 and not silent[t, other]:
                    total += weights[c, k] * (traces[t, other] - levels[other])
                    weight += weights[c, k]
            filled[t, c] = levels[c] + (total / weight if weight > 0 else 0.0)


def fill_silence(
    traces: NDArray[Any],
    *,
    before: int,
    after: int,
    n_samples_min: int,
    neighbors: NDArray[np.int32],
    weights: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Fill silence from the channels around it, or with the channel's own level if these are silent too.

    A filter then meets no step between a channel's offset and the value stored for silence, and the waveform of a
    neuron next to a silent channel keeps its shape.

    Parameters
    ----------
    traces : (before + n + after, channel)
        As recorded.
    before, after : int
        Number of rows of halo.
    n_samples_min : int
        Minimum length of a run of equal values that counts as silence.
    neighbors : (channel, k) int32
        Channels around each channel, without the channel itself, padded with -1.
    weights : (channel, k) float32
        Weights of those channels; the weights of live ones are normalized to sum to 1.

    Returns
    -------
    filled : (n, channel) float32

    Examples
    --------
    >>> traces = np.array([[7, 9], [0, 8], [0, 10], [0, 9], [7, 9]], "int16")
    >>> around, weights = np.array([[1], [0]], "int32"), np.ones((2, 1), "float32")
    >>> fill_silence(traces, before=0, after=0, n_samples_min=3, neighbors=around, weights=weights)[:, 0].tolist()
    [7.0, 6.0, 8.0, 7.0, 7.0]
    """
    silent = silent_samples(traces, n_samples_min)
    if not silent.any():
        return np.asarray(traces[before : len(traces) - after], np.float32)
    filled = np.empty(traces.shape, np.float32)
    _fill(traces, silent, neighbors, weights, filled)
    return filled[before : len(filled) - after]


def silent_runs(traces: NDArray[Any], *, before: int, after: int, start: int, n_samples_min: int) -> NDArray[np.void]:
    """The silent stretches of each channel in one tile, cut at the ends of the tile.

    Parameters
    ----------
    traces : (before + n + after, channel)
        As recorded.
    before, after, start : int
        Rows of halo, and the absolute sample of the first core row.
    n_samples_min : int
        Minimum length of a run of equal values that counts as silence.

    Returns
    -------
    runs : structured array of dtype `RUN`
        In order of sample, then channel.

    Examples
    --------
    >>> traces = np.array([[7, 9], [0, 8], [0, 10], [0, 9], [7, 9]], "int16")
    >>> silent_runs(traces, before=0, after=0, start=100, n_samples_min=3).tolist()
    [(101, 0, 0, 3)]
    """
    silent = silent_samples(traces, n_samples_min)[before : len(traces) - after]
    edges = np.diff(np.pad(silent, ((1, 1), (0, 0))).astype(np.int8), axis=0)
    channel, first = np.nonzero(edges.T == 1)
    _, last = np.nonzero(edges.T == -1)
    runs = np.zeros(len(first), RUN)
    runs["sample_index"], runs["channel_index"], runs["num_samples"] = start + first, channel, last - first
    return runs[np.lexsort((channel, first))]


@kernel
def _beside_silence(
    samples: NDArray[np.int64],
    channels: NDArray[np.int64],
    neighbors: NDArray[np.int32],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    offsets: NDArray[np.int64],
) -> NDArray[np.bool_]:
    beside = zeros(samples.size, np.bool_)
    for i in range(samples.size):
        for k in range(neighbors.shape[1]):
            c = neighbors[channels[i], k]
            if c < 0:
                continue
            after = offsets[c] + np.searchsorted(starts[offsets[c] : offsets[c + 1]], samples[i], side="right")
            if after > offsets[c] and stops[after - 1] > samples[i]:
                beside[i] = True
                break
    return beside


def beside_silence(
    samples: NDArray[np.int64],
    channels: NDArray[np.int64],
    runs: NDArray[np.void],
    *,
    neighbors: NDArray[np.int32],
    guard_samples: int,
) -> NDArray[np.bool_]:
    """Whether any channel around an event is silent during the event.

    Parameters
    ----------
    samples, channels : (n_events,) int64
    runs : structured array of dtype `RUN`
        Stretches of silence, from any tiles.
    neighbors : (channel, k) int32
        Channels to examine for an event on each channel, padded with -1.
    guard_samples : int
        Extent of an event to either side.

    Returns
    -------
    beside : (n_events,) bool

    Examples
    --------
    >>> runs = np.array([(100, 1, 0, 50)], RUN)
    >>> around = np.array([[0, 1], [1, 2], [2, -1]], np.int32)
    >>> beside_silence(np.array([90, 97, 120, 120]), np.array([0, 0, 1, 2]), runs, neighbors=around, guard_samples=5)
    array([False,  True,  True, False])
    """
    order = np.lexsort((runs["sample_index"], runs["channel_index"]))
    starts = runs["sample_index"][order] - guard_samples
    stops = runs["sample_index"][order] + runs["num_samples"][order] + guard_samples
    offsets = np.searchsorted(runs["channel_index"][order], np.arange(len(neighbors) + 1))
    beside: NDArray[np.bool_] = _beside_silence(samples, channels, neighbors, starts, stops, offsets)
    return beside
