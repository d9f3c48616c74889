"""Whitening: estimate the covariance of the channels, turn it into weights, apply these to every sample.

Zero-phase (ZCA) whitening keeps each channel where it is: W = U diag(1/√(s + ε)) Uᵀ for a covariance U diag(s) Uᵀ.
The local form whitens each channel's neighbourhood and keeps that channel's row of the result.

Weights are applied sixteen output channels at a time. The inputs these need, their *sources*, are multiplied one after
another, in one fixed order: a sample's result is the same, to the bit, whichever samples come with it.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import reverse_cuthill_mckee

from xephys.kernels.lanes import fma, load_f32, splat_f32, store

LANES = 16  # output channels computed together
TILE = 8  # rows computed together: eight running sums in registers hide the multiply-add's latency
BLOCK = 64  # rows for which a group's weights are kept in the L1 cache
SUM_ROWS = 4096
NOTHING = 1e-11  # variance, relative to the largest, that float32 rounding alone leaves where there is none


class PackedWeights(NamedTuple):
    """Weights regrouped for `whiten_packed`: `pack_sparse` and `pack_dense` make them.

    Attributes
    ----------
    outputs
        Shape (group, 16), int64: the channels of each group, −1 where there are fewer.
    sources
        Shape (group, s), int64: the channels that the group's outputs are made of, padded.
    counts
        Shape (group,), int64: how many of the sources count.
    weights
        Shape (group, s, 16), float32: from each source to each output.
    offsets
        Shape (group, 16), float32: added to each output.
    """

    outputs: NDArray[np.int64]
    sources: NDArray[np.int64]
    counts: NDArray[np.int64]
    weights: NDArray[np.float32]
    offsets: NDArray[np.float32]


def covariance_sums(traces: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """What to add up over chunks for a mean and a covariance: Σx, Σxxᵀ and the number of samples, in float64.

    Examples
    --------
    >>> import numpy as np
    >>> covariance_sums(np.array([[1.0, 2.0], [3.0, 4.0]], dtype="float32"))
    (array([4., 6.]), array([[10., 14.],
           [14., 20.]]), 2)
    """
    channels = traces.shape[1]
    sum_x, sum_xx = np.zeros(channels), np.zeros((channels, channels))
    for start in range(0, len(traces), SUM_ROWS):
        part = traces[start : start + SUM_ROWS].astype(np.float64)
        sum_x += part.sum(axis=0)
        sum_xx += part.T @ part
    return sum_x, sum_xx, len(traces)


def regularisation(median_square: float) -> float:
    """SpikeInterface's ε: 1e-16, but a thousandth of median(x²) where the data are so small that this is below 1.

    Examples
    --------
    >>> regularisation(45.0), regularisation(0.5)
    (1e-16, 0.0005)
    """
    return max(1e-16, 1e-3 * median_square) if 0 < median_square < 1 else 1e-16


def whitening_matrix_global(
    covariance: NDArray[np.floating], *, eps: float = 1e-16, good: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Symmetric matrix W that whitens all channels together: whitened = traces @ W.

    Parameters
    ----------
    covariance
        Shape (channel, channel).
    eps
        Added to every eigenvalue; see `regularisation`.
    good
        Mask over channels. Bad and constant channels take no part: their rows and columns are zero.

    Returns
    -------
    ndarray
        Shape (channel, channel), float64. Directions in which the data do not vary at all get weight 0.

    Raises
    ------
    ValueError
        If the covariance is not a finite square matrix, or ``eps`` is negative.

    Examples
    --------
    >>> import numpy as np
    >>> whitening_matrix_global(np.diag([4.0, 25.0]))
    array([[0.5, 0. ],
           [0. , 0.2]])
    """
    matrix, usable = _checked_covariance(covariance, eps, good)
    whitening = np.zeros_like(matrix)
    chosen = np.flatnonzero(usable)
    if len(chosen):
        block = np.ix_(chosen, chosen)
        whitening[block] = _inverse_square_roots(matrix[block][None], eps)[0]
    return whitening


def whitening_matrix_local(
    covariance: NDArray[np.floating],
    positions: NDArray[np.floating],
    *,
    n_nearest: int | None = 32,
    radius_um: float | None = None,
    eps: float = 1e-16,
    good: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """For each channel, the row that whitens it against its neighbourhood.

    Parameters
    ----------
    covariance
        Shape (channel, channel).
    positions
        Shape (channel, 2 or 3), µm.
    n_nearest
        Size of the neighbourhood, the channel included; the lower index first at equal distance. None: only ``radius_um``.
    radius_um
        Farthest neighbour. None: only ``n_nearest``.
    eps, good
        As in `whitening_matrix_global`.

    Returns
    -------
    neighbours
        Shape (channel, k), int32, by increasing distance, padded with −1.
    weights
        Shape (channel, k), float32, padded with 0. A bad or constant channel has no neighbours: it whitens to 0.

    Raises
    ------
    ValueError
        If shapes disagree, values are not finite, or neither size of neighbourhood is given.

    Examples
    --------
    >>> import numpy as np
    >>> neighbours, weights = whitening_matrix_local(np.diag([4.0, 25.0, 1.0]), np.eye(3), n_nearest=1)
    >>> neighbours.ravel(), weights.ravel()
    (array([0, 1, 2], dtype=int32), array([0.5, 0.2, 1. ], dtype=float32))
    """
    matrix, usable = _checked_covariance(covariance, eps, good)
    places = np.asarray(positions, np.float64)
    channels = len(matrix)
    if places.ndim != 2 or len(places) != channels or not np.isfinite(places).all():
        raise ValueError(f"positions has shape {places.shape}, but must be finite and ({channels}, 2 or 3)")
    if n_nearest is None and radius_um is None:
        raise ValueError("give n_nearest or radius_um: without either, use whitening_matrix_global")
    if n_nearest is not None and n_nearest < 1:
        raise ValueError(f"n_nearest is {n_nearest}, but a neighbourhood holds at least the channel itself")
    chosen = np.flatnonzero(usable)
    distances = np.linalg.norm(places[chosen, None] - places[None, chosen], axis=2)
    np.fill_diagonal(distances, -1.0)  # first even where contacts share a place
    order = np.argsort(distances, axis=1, kind="stable")
    widest = len(chosen) if n_nearest is None else min(n_nearest, len(chosen))
    reach = np.inf if radius_um is None else radius_um
    sizes = np.minimum((distances <= reach).sum(axis=1), widest)
    k = int(sizes.max(initial=1))
    neighbours = np.full((channels, k), -1, np.int32)
    weights = np.zeros((channels, k), np.float32)
    for size in np.unique(sizes):
        rows = np.flatnonzero(sizes == size)
        near = chosen[order[rows, :size]]
        whitening = _inverse_square_roots(matrix[near[:, :, None], near[:, None, :]], eps)
        neighbours[chosen[rows], :size] = near
        weights[chosen[rows], :size] = whitening[:, 0]
    return neighbours, weights


def pack_sparse(
    neighbours: NDArray[np.integer], weights: NDArray[np.floating], *, mean: NDArray[np.floating] | None = None
) -> PackedWeights:
    """Regroup the rows of `whitening_matrix_local` (or any such weights) for `whiten_packed`.

    Channels are grouped in the order given or, if that gathers fewer sources, in one that brings neighbours together.

    Raises
    ------
    ValueError
        If shapes disagree or an index is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> packed = pack_sparse(np.array([[0, 1], [1, -1]]), np.array([[1.0, -1.0], [2.0, 0.0]]))
    >>> whiten_packed(np.array([[5.0, 3.0]]), packed=packed)
    array([[2., 6.]], dtype=float32)
    """
    channels = len(neighbours)
    if neighbours.ndim != 2 or neighbours.shape != weights.shape:
        raise ValueError(f"neighbours {neighbours.shape} and weights {weights.shape} must both be (channel, k)")
    if neighbours.size and (neighbours.min() < -1 or neighbours.max() >= channels):
        raise ValueError(f"neighbours must be channel indices below {channels}, or -1 for none")
    row, column = np.nonzero((neighbours >= 0) & (weights != 0))
    sparse = csr_matrix(
        (weights[row, column].astype(np.float64), (row, neighbours[row, column])), shape=(channels, channels)
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
    return PackedWeights(outputs, sources, counts, packed, shifts)


def pack_dense(matrix: NDArray[np.floating], *, mean: NDArray[np.floating] | None = None) -> PackedWeights:
    """Regroup a full matrix, applied as ``(traces - mean) @ matrix``, for `whiten_packed`."""
    channels = len(matrix)
    if matrix.shape != (channels, channels):
        raise ValueError(f"matrix has shape {matrix.shape}, but must be (channel, channel)")
    everything = np.broadcast_to(np.arange(channels), (channels, channels))
    return pack_sparse(everything, matrix.T, mean=mean)


def whiten_packed(
    traces: NDArray[Any], *, before: int = 0, after: int = 0, packed: PackedWeights
) -> NDArray[np.float32]:
    """Apply packed weights to every sample.

    Parameters
    ----------
    traces
        Shape (before + n + after, channel).
    before, after
        Rows to leave out; this stage needs none.
    packed
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
    A NaN or infinity reaches every output of the groups that have its channel as a source.
    """
    if traces.ndim != 2 or before < 0 or after < 0 or before + after > len(traces):
        raise ValueError(f"before = {before} and after = {after} do not fit into traces of shape {traces.shape}")
    outputs, sources, counts, weights, offsets = packed
    channels = int((outputs >= 0).sum())
    if channels != traces.shape[1]:
        raise ValueError(f"traces have {traces.shape[1]} channels, but the weights are for {channels}")
    source = np.ascontiguousarray(traces[before : len(traces) - after], np.float32)
    whitened = np.empty_like(source)
    if whitened.size:
        _apply(
            source.reshape(-1), channels, outputs, sources, counts, weights.reshape(-1), offsets, whitened.reshape(-1)
        )
    return whitened


def whiten_sparse(
    traces: NDArray[Any],
    *,
    before: int = 0,
    after: int = 0,
    neighbours: NDArray[np.integer],
    weights: NDArray[np.floating],
    mean: NDArray[np.floating] | None = None,
) -> NDArray[np.float32]:
    """Output channel c is Σⱼ weights[c, j] · (x − mean)[neighbours[c, j]]: `pack_sparse`, then `whiten_packed`.

    Packing takes milliseconds: for many short blocks, pack once.

    Examples
    --------
    >>> import numpy as np
    >>> neighbours = np.array([[0, 1], [1, -1]], dtype="int32")
    >>> whiten_sparse(np.array([[5, 3]]), neighbours=neighbours, weights=np.array([[1.0, -1.0], [2.0, 0.0]]))
    array([[2., 6.]], dtype=float32)
    """
    return whiten_packed(traces, before=before, after=after, packed=pack_sparse(neighbours, weights, mean=mean))


def whiten_dense(
    traces: NDArray[Any],
    *,
    before: int = 0,
    after: int = 0,
    matrix: NDArray[np.floating],
    mean: NDArray[np.floating] | None = None,
) -> NDArray[np.float32]:
    """(traces − mean) @ matrix: `pack_dense`, then `whiten_packed`. For many short blocks, pack once.

    Examples
    --------
    >>> import numpy as np
    >>> whiten_dense(np.array([[5, 3]]), matrix=np.array([[1.0, 0.0], [1.0, 2.0]]), mean=np.array([1.0, 1.0]))
    array([[6., 4.]], dtype=float32)
    """
    return whiten_packed(traces, before=before, after=after, packed=pack_dense(matrix, mean=mean))


def _checked_covariance(
    covariance: NDArray[np.floating], eps: float, good: NDArray[np.bool_] | None
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    matrix = np.asarray(covariance, np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"covariance has shape {matrix.shape}, but must be (channel, channel)")
    if eps < 0:
        raise ValueError(f"eps is {eps}, but must not be negative; regularisation() suggests one")
    usable = np.ones(len(matrix), np.bool_) if good is None else np.asarray(good, np.bool_)
    if usable.shape != (len(matrix),):
        raise ValueError(f"good has shape {usable.shape}, but must be a mask over {len(matrix)} channels")
    if not np.isfinite(matrix[np.ix_(usable, usable)]).all():
        raise ValueError("covariance is not finite; mark channels with NaN or infinite samples as bad")
    return matrix, usable & (np.diag(matrix) > 0)


def _inverse_square_roots(blocks: NDArray[np.float64], eps: float) -> NDArray[np.float64]:
    """(S + ε)^(−1/2) of symmetric matrices, shape (block, k, k), without directions of no variance."""
    values, vectors = np.linalg.eigh(blocks)
    present = values > NOTHING * values[:, -1:]
    roots = np.where(present, 1 / np.sqrt(np.where(present, values + eps, 1.0)), 0.0)
    inverse: NDArray[np.float64] = (vectors * roots[:, None, :]) @ vectors.transpose(0, 2, 1)
    return inverse


def _sources(sparse: Any, order: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Channels that each group of sixteen consecutive members of ``order`` is made of."""
    starts = range(0, len(order), LANES)
    return [np.unique(sparse[order[start : start + LANES]].indices).astype(np.int64) for start in starts]


@njit(nogil=True, cache=True)
def _apply(source, channels, outputs, sources, counts, weights, offsets, whitened):  # type: ignore[no-untyped-def]
    rows = len(source) // channels
    groups, widest = sources.shape
    result = np.empty(TILE * LANES, np.float32)
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
                        store(whitened, at + outputs[group, 0], load_f32(result, t * LANES))
                    else:
                        for lane in range(LANES):
                            if outputs[group, lane] >= 0:
                                whitened[at + outputs[group, lane]] = result[t * LANES + lane]


@njit(nogil=True, cache=True)
def _tile(source, channels, row, last, wanted, count, weights, first, offset, result):  # type: ignore[no-untyped-def]
    """Sixteen outputs of eight rows; rows after ``last`` repeat it, so that all rows are computed alike.

    The eight sums are written out because numba keeps only scalars, not arrays, in registers.
    """
    i0, i1 = row * channels, min(row + 1, last) * channels
    i2, i3 = min(row + 2, last) * channels, min(row + 3, last) * channels
    i4, i5 = min(row + 4, last) * channels, min(row + 5, last) * channels
    i6, i7 = min(row + 6, last) * channels, min(row + 7, last) * channels
    s0 = load_f32(offset, 0)
    s1, s2, s3, s4, s5, s6, s7 = s0, s0, s0, s0, s0, s0, s0
    for j in range(count):
        c = wanted[j]
        weight = load_f32(weights, first + j * LANES)
        # Unsigned indices: a signed one is checked for being negative.
        s0 = fma(splat_f32(source[np.uintp(i0 + c)]), weight, s0)
        s1 = fma(splat_f32(source[np.uintp(i1 + c)]), weight, s1)
        s2 = fma(splat_f32(source[np.uintp(i2 + c)]), weight, s2)
        s3 = fma(splat_f32(source[np.uintp(i3 + c)]), weight, s3)
        s4 = fma(splat_f32(source[np.uintp(i4 + c)]), weight, s4)
        s5 = fma(splat_f32(source[np.uintp(i5 + c)]), weight, s5)
        s6 = fma(splat_f32(source[np.uintp(i6 + c)]), weight, s6)
        s7 = fma(splat_f32(source[np.uintp(i7 + c)]), weight, s7)
    store(result, 0 * LANES, s0)
    store(result, 1 * LANES, s1)
    store(result, 2 * LANES, s2)
    store(result, 3 * LANES, s3)
    store(result, 4 * LANES, s4)
    store(result, 5 * LANES, s5)
    store(result, 6 * LANES, s6)
    store(result, 7 * LANES, s7)
