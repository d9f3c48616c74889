"""Silence: stretches in which a channel does not change, as after lost packets, blanking or at a rail.

A converter that runs never gives the same value for milliseconds: there is always noise. Whether a sample is silent
depends only on the run of equal values around it, so a tile decides like the whole recording once it sees one run
length to either side.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(nogil=True, cache=True)
def silent_samples(traces: NDArray[Any], n_samples_min: int) -> NDArray[np.bool_]:
    """Which samples lie in a run of equal values.

    Parameters
    ----------
    traces : (sample, channel)
        As recorded, before any filter.
    n_samples_min : int
        Shortest run that is silence.

    Returns
    -------
    silent : (sample, channel) bool

    Examples
    --------
    >>> silent_samples(np.array([[1], [5], [5], [5], [2], [2]]), 3)[:, 0].tolist()
    [False, True, True, True, False, False]
    """
    n, n_channels = traces.shape
    silent = np.zeros((n, n_channels), np.bool_)
    first = np.zeros(n_channels, np.int64)
    for t in range(1, n + 1):
        for c in range(n_channels):
            if t < n and traces[t, c] == traces[t - 1, c]:
                continue
            if t - first[c] >= n_samples_min:
                silent[first[c] : t, c] = True
            first[c] = t
    return silent


def live_rows(silent: list[NDArray[np.bool_]], *, share_min: float = 0.05) -> list[NDArray[np.bool_]]:
    """Which samples of excerpts can be used for estimates over all channels at once.

    Parameters
    ----------
    silent : list of (sample, channel) bool
        From `silent_samples`, one array an excerpt.
    share_min : float
        If fewer samples than this share are live on every channel, those count that are live on half of them. Channels
        that are silent throughout have no say.

    Returns
    -------
    live : list of (sample,) bool

    Examples
    --------
    >>> silent = np.array([[False, True], [True, True], [False, True]])
    >>> [rows.tolist() for rows in live_rows([silent])]
    [[True, False, True]]
    """
    speaks = ~np.all([part.all(axis=0) for part in silent], axis=0)
    if not speaks.any():
        return [np.ones(len(part), np.bool_) for part in silent]
    shares = [part[:, speaks].mean(axis=1) for part in silent]
    for most in (0.0, 0.5):
        live = [share <= most for share in shares]
        if np.concatenate(live).mean() >= share_min:
            return live
    return [np.ones(len(part), np.bool_) for part in silent]


@njit(nogil=True, cache=True)
def _fill(
    traces: NDArray[Any],
    silent: NDArray[np.bool_],
    neighbors: NDArray[np.int32],
    weights: NDArray[np.float32],
    filled: NDArray[Any],
) -> None:
    """Each silent sample from its own channel's level and the deviations of live neighbors from theirs."""
    n, n_channels = traces.shape
    levels = np.zeros(n_channels, np.float64)
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
    """Silence filled from the channels around it, or with the channel's own level where they are silent too.

    A filter then meets no step from the offset of a channel to the value that stands for silence, and a neuron beside a
    silent channel keeps its shape.

    Parameters
    ----------
    traces : (before + n + after, channel)
        As recorded.
    before, after : int
        Rows of halo.
    n_samples_min : int
        Shortest run of equal values that is silence.
    neighbors : (channel, k) int32
        Channels around each, itself left out, padded with -1.
    weights : (channel, k) float32
        Of those channels; those of live ones are made to sum to 1.

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
