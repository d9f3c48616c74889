"""Snippets of the traces around spikes, and their projections on temporal components.

Projections are computed directly from the time-major traces: a row of the neighborhood is read once and added to all
components, so that the waveforms of a tile (14 MB per second for 2000 spikes × 60 samples × 30 channels) never exist.
For each spike, every sum runs over samples in time order, so the bits of a feature depend only on the samples in its
window.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import empty, zeros
from xephys.kernels.lib.dispatch import with_device_twin
from xephys.kernels.lib.inner import inner, kernel
from xephys.kernels.lib.lanes import LANES, add, load_f32, multiply, prefetch, splat_f32, store
from xephys.kernels.lib.records import add_fields


def window_halo(*, nbefore: int, nafter: int) -> tuple[int, int]:
    """Number of samples that a window ``[sample - nbefore, sample + nafter)`` needs before and after the core.

    Examples
    --------
    >>> window_halo(nbefore=20, nafter=41)
    (20, 40)
    """
    return nbefore, max(nafter - 1, 0)


def event_rows(
    traces: NDArray[np.float32],
    events: NDArray[np.void],
    *,
    before: int,
    after: int,
    start: int,
    nbefore: int,
    nafter: int,
) -> NDArray[np.int64]:
    """Rows of the events in a tile, after checking that their windows are inside it.

    Parameters
    ----------
    traces : float32 (before + n + after, channel)
        Time-major traces; row ``before`` is sample `start`.
    events : structured ndarray
        Table with ``sample_index`` (absolute).
    before, after, start : int
        Halo rows and absolute index of the first core sample.
    nbefore, nafter : int
        The window is ``[row - nbefore, row + nafter)``.

    Returns
    -------
    int64 (event,)
        Row of each event's sample.

    Raises
    ------
    ValueError
        If a window reaches outside the tile.
    """
    rows: NDArray[np.int64] = events["sample_index"].astype(np.int64) - start + before
    needed_before, needed_after = window_halo(nbefore=nbefore, nafter=nafter)
    if before < needed_before or after < needed_after:
        raise ValueError(
            f"halo is {before} samples before and {after} after; "
            f"a window of {nbefore} + {nafter} samples needs {needed_before} before and {needed_after} after"
        )
    if rows.size and (int(rows.min()) < before or int(rows.max()) >= traces.shape[0] - after):
        raise ValueError(
            f"events lie outside the core samples {start} to {start + traces.shape[0] - before - after}; "
            "give the tile only its own events"
        )
    return rows


def extract_waveforms(
    traces: NDArray[np.float32],
    sample_rows: NDArray[np.integer],
    channels: NDArray[np.integer],
    *,
    nbefore: int,
    nafter: int,
) -> NDArray[np.float32]:
    """Copy the snippet around each spike on its own set of channels.

    Parameters
    ----------
    traces : float32 (sample, channel)
        Time-major traces.
    sample_rows : int (n,)
        Row of each spike.
    channels : int (n, k)
        Channels of each spike; -1 gives zeros.
    nbefore, nafter : int
        Samples before the spike, and from the spike on.

    Returns
    -------
    float32 (n, nbefore + nafter, k)
        Waveforms; zero where the window reaches beyond the traces.

    Raises
    ------
    ValueError
        If `channels` does not have one row per spike, or names a channel that does not exist.

    Examples
    --------
    >>> traces = np.arange(12, dtype=np.float32).reshape(6, 2)
    >>> extract_waveforms(traces, np.array([0]), np.array([[1, -1]]), nbefore=1, nafter=2)[0].tolist()
    [[0.0, 0.0], [1.0, 0.0], [3.0, 0.0]]
    """
    if channels.ndim != 2 or channels.shape[0] != sample_rows.size:
        raise ValueError(
            f"channels have shape {channels.shape}; one row for each of {sample_rows.size} spikes is needed"
        )
    if channels.size and int(channels.max()) >= traces.shape[1]:
        raise ValueError(f"channel {int(channels.max())} does not exist; the traces have {traces.shape[1]} channels")
    return _extract(traces, sample_rows.astype(np.int64), channels.astype(np.int64), nbefore, nafter)


@with_device_twin
def snippets(
    traces: NDArray[np.float32],
    events: NDArray[np.void],
    *,
    before: int,
    after: int,
    start: int,
    nbefore: int,
    nafter: int,
    field: str = "waveform",
) -> NDArray[np.void]:
    """Append the snippet on each event's own channel.

    Parameters
    ----------
    traces : float32 (before + n + after, channel)
        Time-major traces; row ``before`` is sample `start`.
    events : structured ndarray
        Table with ``sample_index`` and ``channel_index``.
    before, after, start : int
        Halo rows (at least `nbefore` and ``nafter - 1``) and absolute index of the first core sample.
    nbefore, nafter : int
        Samples before the spike, and from the spike on.
    field : str
        Name of the new field.

    Returns
    -------
    structured ndarray
        The events with `field`, float32 of shape (nbefore + nafter,).

    Raises
    ------
    ValueError
        If a window reaches outside the tile, or the field exists already.

    Examples
    --------
    >>> from xephys.kernels.detect.peaks import PEAK_DTYPE
    >>> events = np.zeros(1, dtype=PEAK_DTYPE)
    >>> events["sample_index"] = 11
    >>> traces = np.arange(6, dtype=np.float32).reshape(6, 1)
    >>> snippets(traces, events, before=2, after=2, start=10, nbefore=1, nafter=2)["waveform"].tolist()
    [[2.0, 3.0, 4.0]]
    """
    rows = event_rows(traces, events, before=before, after=after, start=start, nbefore=nbefore, nafter=nafter)
    table = add_fields(events, [(field, "<f4", (nbefore + nafter,))])
    channels = events["channel_index"].astype(np.int64)[:, np.newaxis]
    table[field] = _extract(traces, rows, channels, nbefore, nafter)[:, :, 0]
    return table


@with_device_twin
def project_waveforms(
    traces: NDArray[np.float32],
    events: NDArray[np.void],
    *,
    before: int,
    after: int,
    start: int,
    components: NDArray[np.float32],
    neighbors: NDArray[np.int32],
    nbefore: int,
    field: str = "projection",
) -> NDArray[np.void]:
    """Append the projections of each event's neighborhood on temporal components.

    Parameters
    ----------
    traces : float32 (before + n + after, channel)
        Time-major traces; row ``before`` is sample `start`.
    events : structured ndarray
        Table with ``sample_index`` and ``channel_index``.
    before, after, start : int
        Halo rows (at least `nbefore` and ``T - nbefore - 1``) and absolute index of the first core sample.
    components : float32 (P, T)
        Temporal components; entry `nbefore` lies on the event's sample.
    neighbors : int32 (channel, k)
        Channels to project for an event on each channel, padded with -1.
    nbefore : int
        Samples of the component before the event.
    field : str
        Name of the new field.

    Returns
    -------
    structured ndarray
        The events with `field`, float32 of shape (k, P): the inner product of each neighbor channel's snippet with
        each component, zero for padding.

    Raises
    ------
    ValueError
        If a window reaches outside the tile, the field exists already, or `nbefore` lies outside the components.

    Examples
    --------
    >>> from xephys.kernels.detect.peaks import PEAK_DTYPE
    >>> events = np.zeros(1, dtype=PEAK_DTYPE)
    >>> events["sample_index"] = 11
    >>> traces = np.arange(6, dtype=np.float32).reshape(6, 1)
    >>> neighbors = np.array([[0, -1]], dtype=np.int32)
    >>> project_waveforms(traces, events, before=2, after=2, start=10, components=np.eye(2, 3, dtype=np.float32),
    ...                   neighbors=neighbors, nbefore=1)["projection"].tolist()
    [[[2.0, 3.0], [0.0, 0.0]]]
    """
    n_components, length = components.shape
    if not 0 <= nbefore < length:
        raise ValueError(f"nbefore is {nbefore}; it must lie inside the {length} samples of the components")
    rows = event_rows(traces, events, before=before, after=after, start=start, nbefore=nbefore, nafter=length - nbefore)
    table = add_fields(events, [(field, "<f4", (neighbors.shape[1], n_components))])
    channels = events["channel_index"].astype(np.int64)
    # Sample-major, so that the weights of all components for one sample are adjacent.
    taps = np.ascontiguousarray(components.T, dtype=np.float32)
    flat = np.ascontiguousarray(traces).reshape(-1)
    table[field] = _project(flat, traces.shape[1], rows, channels, neighbors, taps, nbefore)
    return table


@kernel
def _extract(
    traces: NDArray[np.float32], rows: NDArray[np.int64], channels: NDArray[np.int64], nbefore: int, nafter: int
) -> NDArray[np.float32]:
    n_spikes, n_slots = channels.shape
    waveforms = zeros((n_spikes, nbefore + nafter, n_slots), np.float32)
    for i in range(n_spikes):
        for t in range(nbefore + nafter):
            row = rows[i] - nbefore + t
            if row < 0 or row >= traces.shape[0]:
                continue
            for j in range(n_slots):
                if channels[i, j] >= 0:
                    waveforms[i, t, j] = traces[row, channels[i, j]]
    return waveforms


@kernel
def _project(
    traces: NDArray[np.float32],
    n_channels: int,
    rows: NDArray[np.int64],
    channels: NDArray[np.int64],
    neighbors: NDArray[np.int32],
    taps: NDArray[np.float32],
    nbefore: int,
) -> NDArray[np.float32]:
    """Projections (event, slot, component), given the traces as one row after another."""
    length, n_components = taps.shape
    n_slots = neighbors.shape[1]
    width = (n_slots + LANES - 1) // LANES * LANES
    projections = zeros((rows.size, n_slots, n_components), np.float32)
    window = zeros(length * width, np.float32)
    sums = empty(n_components * width, np.float32)
    read = zeros(n_slots, np.uint64)
    _project_each(traces, n_channels, rows, channels, neighbors, taps, nbefore, width, window, sums, read, projections)
    return projections


@inner
def _project_each(
    traces: NDArray[np.float32],
    n_channels: int,
    rows: NDArray[np.int64],
    channels: NDArray[np.int64],
    neighbors: NDArray[np.int32],
    taps: NDArray[np.float32],
    nbefore: int,
    width: int,
    window: NDArray[np.float32],
    sums: NDArray[np.float32],
    read: NDArray[np.uint64],
    projections: NDArray[np.float32],
) -> None:
    """One event after another, while the window of the next one is fetched: most of them are not in the cache.

    In an empty slot the first channel is projected, which is quicker than a branch, and left out of the result.
    """
    n_slots, n_components = projections.shape[1:]
    for i in range(rows.size):
        following = min(i + 1, rows.size - 1)
        lowest, highest = n_channels - 1, 0
        for j in range(n_slots):
            slot = neighbors[channels[following], j]
            if slot >= 0:
                lowest, highest = min(lowest, slot), max(highest, slot)
            read[j] = max(neighbors[channels[i], j], 0)
        for t in range(taps.shape[0]):
            ahead = (rows[following] - nbefore + t) * n_channels
            prefetch(traces, ahead + lowest)
            prefetch(traces, ahead + highest)
            here, there = np.uintp((rows[i] - nbefore + t) * n_channels), np.uintp(t * width)
            for j in range(np.uintp(n_slots)):  # unsigned, which skips the check for negative indices
                window[there + j] = traces[here + read[j]]
        _project_window(window, taps, width, sums)
        for j in range(n_slots):
            if neighbors[channels[i], j] >= 0:
                for p in range(n_components):
                    projections[i, j, p] = sums[p * width + j]


@inner
def _project_window(
    window: NDArray[np.float32], taps: NDArray[np.float32], width: int, sums: NDArray[np.float32]
) -> None:
    """Sums over the samples of a window in time order, sixteen slots and three components in registers."""
    length, n_components = taps.shape
    zero = splat_f32(np.float32(0))
    for first in range(0, width, LANES):
        for p in range(0, n_components, 3):
            second, third = min(p + 1, n_components - 1), min(p + 2, n_components - 1)
            a, b, c = zero, zero, zero
            for t in range(length):
                values = load_f32(window, t * width + first)
                # Products are rounded before they are added, or a feature would depend on the processor.
                a = add(a, multiply(splat_f32(taps[t, p]), values))
                b = add(b, multiply(splat_f32(taps[t, second]), values))
                c = add(c, multiply(splat_f32(taps[t, third]), values))
            store(sums, p * width + first, a)
            store(sums, second * width + first, b)
            store(sums, third * width + first, c)
