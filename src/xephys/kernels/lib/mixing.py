"""Weighted sums over channels: out[t, c] = Σⱼ weight[c, j] · x[t, j] + offset[c], for sparse or full weights.

Sixteen output channels are computed at a time. Their inputs, the *sources*, are multiplied one after another in a fixed
order, so a sample's result is the same, to the bit, whichever samples are computed with it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import reverse_cuthill_mckee

from xephys.kernels.lib.arrays import empty
from xephys.kernels.lib.core import core_rows
from xephys.kernels.lib.dispatch import with_device_twin
from xephys.kernels.lib.inner import helper, kernel
from xephys.kernels.lib.lanes import LANES, fma, load_f32, splat_f32, store

TILE = 6  # rows computed together: six sums hide the latency of the multiply-add and fit into the registers of AVX2
BLOCK = 66  # rows for which a group's weights stay in the L1 cache


def pack_sparse(
    neighbors: NDArray[np.integer], weights: NDArray[np.floating], *, mean: NDArray[np.floating] | None = None
) -> dict[str, NDArray[Any]]:
    """Regroup sparse weights for `mix_channels`.

    Parameters
    ----------
    neighbors
        Shape (channel, k), integer: the inputs of each output channel, padded with −1.
    weights
        Shape (channel, k): their weights; zeros count as absent.
    mean
        Shape (channel,): subtracted from the inputs first; zero if None.

    Returns
    -------
    dict of ndarray
        ``outputs`` (group, 16), int64: the channels of each group, padded with −1. ``sources`` (group, s), int64: the
        channels from which these are computed, padded. ``counts`` (group,), int64: the number of valid sources.
        ``weights`` (group, s, 16), float32. ``offsets`` (group, 16), float32.

    Raises
    ------
    ValueError
        If shapes disagree or an index is out of range.

    Notes
    -----
    Channels are grouped in the given order or, if that needs fewer sources, in one that puts neighbors together.

    Examples
    --------
    >>> import numpy as np
    >>> packed = pack_sparse(np.array([[0, 1], [1, -1]]), np.array([[1.0, -1.0], [2.0, 0.0]]))
    >>> mix_channels(np.array([[5.0, 3.0]]), **packed)
    array([[2., 6.]], dtype=float32)
    """
    channels = len(neighbors)
    if neighbors.ndim != 2 or neighbors.shape != weights.shape:
        raise ValueError(f"neighbors {neighbors.shape} and weights {weights.shape} must both be (channel, k)")
    if neighbors.size and (neighbors.min() < -1 or neighbors.max() >= channels):
        raise ValueError(f"neighbors must be channel indices below {channels}, or -1 for none")
    row, column = np.nonzero((neighbors >= 0) & (weights != 0))
    sparse = csr_matrix(
        (weights[row, column].astype(np.float64), (row, neighbors[row, column])), shape=(channels, channels)
    )
    natural = np.arange(channels)
    gathered = reverse_cuthill_mckee(sparse).astype(np.int64) if channels else natural
    order = min((natural, gathered), key=lambda candidate: sum(map(len, _sources(sparse, candidate))))
    groups = _sources(sparse, order)
    offsets = None if mean is None else -(sparse @ np.asarray(mean, np.float64))
    outputs = np.full((len(groups), LANES), -1, np.int64)
    outputs.reshape(-1)[:channels] = order
    counts = np.array([len(source) for source in groups], np.int64)
    sources = np.zeros((len(groups), counts.max(initial=1)), np.int64)
    packed = np.zeros((*sources.shape, LANES), np.float32)
    shifts = np.zeros((len(groups), LANES), np.float32)
    for group, source in enumerate(groups):
        members = order[group * LANES : (group + 1) * LANES]
        sources[group, : len(source)] = source
        packed[group, : len(source), : len(members)] = sparse[members][:, source].toarray().T
        if offsets is not None:
            shifts[group, : len(members)] = offsets[members]
    return {"outputs": outputs, "sources": sources, "counts": counts, "weights": packed, "offsets": shifts}


def pack_dense(matrix: NDArray[np.floating], *, mean: NDArray[np.floating] | None = None) -> dict[str, NDArray[Any]]:
    """Regroup a full matrix, applied as ``(traces - mean) @ matrix``, for `mix_channels`."""
    channels = len(matrix)
    if matrix.shape != (channels, channels):
        raise ValueError(f"matrix has shape {matrix.shape}, but must be (channel, channel)")
    everything = np.broadcast_to(np.arange(channels), (channels, channels))
    return pack_sparse(everything, matrix.T, mean=mean)


@with_device_twin
def mix_channels(
    traces: NDArray[Any],
    *,
    before: int = 0,
    after: int = 0,
    outputs: NDArray[np.int64],
    sources: NDArray[np.int64],
    counts: NDArray[np.int64],
    weights: NDArray[np.float32],
    offsets: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Apply packed weights to every sample.

    Parameters
    ----------
    traces
        Shape (before + n + after, channel).
    before, after
        Rows to leave out; this stage needs none.
    outputs, sources, counts, weights, offsets
        From `pack_sparse` or `pack_dense`. Pack once, apply to many blocks.

    Returns
    -------
    ndarray
        Shape (n, channel), float32.

    Raises
    ------
    ValueError
        If the traces and the weights have different numbers of channels.

    Notes
    -----
    A NaN or infinity reaches every output of the groups that use its channel.

    Examples
    --------
    >>> import numpy as np
    >>> mix_channels(np.array([[5.0, 3.0]]), **pack_dense(np.array([[1.0, 0.0], [1.0, 2.0]])))
    array([[8., 6.]], dtype=float32)
    """
    rows = core_rows(traces, before, after)
    channels = int((outputs >= 0).sum())
    if channels != traces.shape[1]:
        raise ValueError(f"traces have {traces.shape[1]} channels, but the weights are for {channels}")
    source = np.ascontiguousarray(rows, np.float32)
    mixed = np.empty_like(source)
    if mixed.size:
        _apply(source.reshape(-1), channels, outputs, sources, counts, weights.reshape(-1), offsets, mixed.reshape(-1))
    return mixed


def _sources(sparse: Any, order: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Channels that each group of sixteen consecutive members of ``order`` depends on."""
    starts = range(0, len(order), LANES)
    return [np.unique(sparse[order[start : start + LANES]].indices).astype(np.int64) for start in starts]


@kernel
def _apply(source, channels, outputs, sources, counts, weights, offsets, mixed):  # type: ignore[no-untyped-def]
    rows = len(source) // channels
    groups, widest = sources.shape
    result = empty(TILE * LANES, np.float32)
    for start in range(0, rows, BLOCK):
        stop = min(start + BLOCK, rows)
        for group in range(groups):
            consecutive = outputs[group, LANES - 1] == outputs[group, 0] + LANES - 1
            for lane in range(LANES):
                consecutive &= outputs[group, lane] == outputs[group, 0] + lane
            for row in range(start, stop, TILE):
                _tile(
                    source, channels, row, stop - 1, sources[group], counts[group], weights, group * widest * LANES,
                    offsets[group], result,
                )  # fmt: skip
                for t in range(min(TILE, stop - row)):
                    at = (row + t) * channels
                    if consecutive:
                        store(mixed, at + outputs[group, 0], load_f32(result, t * LANES))
                    else:
                        for lane in range(LANES):
                            if outputs[group, lane] >= 0:
                                mixed[at + outputs[group, lane]] = result[t * LANES + lane]


@helper
def _tile(source, channels, row, last, wanted, count, weights, first, offset, result):  # type: ignore[no-untyped-def]
    """Sixteen outputs of six rows; rows after ``last`` repeat it, so that all rows are computed in the same way.

    The six sums are written out because Numba keeps only scalars, not arrays, in registers.
    """
    i0, i1 = row * channels, min(row + 1, last) * channels
    i2, i3 = min(row + 2, last) * channels, min(row + 3, last) * channels
    i4, i5 = min(row + 4, last) * channels, min(row + 5, last) * channels
    s0 = load_f32(offset, 0)
    s1, s2, s3, s4, s5 = s0, s0, s0, s0, s0
    for j in range(count):
        c = wanted[j]
        weight = load_f32(weights, first + j * LANES)
        # Unsigned indices, because signed ones are checked for negative values.
        s0 = fma(splat_f32(source[np.uintp(i0 + c)]), weight, s0)
        s1 = fma(splat_f32(source[np.uintp(i1 + c)]), weight, s1)
        s2 = fma(splat_f32(source[np.uintp(i2 + c)]), weight, s2)
        s3 = fma(splat_f32(source[np.uintp(i3 + c)]), weight, s3)
        s4 = fma(splat_f32(source[np.uintp(i4 + c)]), weight, s4)
        s5 = fma(splat_f32(source[np.uintp(i5 + c)]), weight, s5)
    store(result, 0 * LANES, s0)
    store(result, 1 * LANES, s1)
    store(result, 2 * LANES, s2)
    store(result, 3 * LANES, s3)
    store(result, 4 * LANES, s4)
    store(result, 5 * LANES, s5)
