"""Correlation with every low-rank template on a device: a product over channels, then products over blocks of time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.cuda import has_cuda_kernels, tables_of
from xephys.kernels.lib.dispatch import as_it_is, resident
from xephys.kernels.match.scores import HALF_SAMPLE_WEIGHTS

#: Number of scores in one product over time, and of units computed together: 64 units of a tile take 80 MB as scratch.
BLOCK = 64
UNITS = 64


def correlate_templates(
    xp: Any,
    traces: Any,
    *,
    temporal: NDArray[np.float32],
    spatial: NDArray[np.float32],
    channels: NDArray[np.int32],
    score_step: int = 1,
) -> Any:
    """As `xephys.kernels.match.scores.correlate_templates`.

    A convolution in time is a product of stretches of ``BLOCK`` + length − 1 samples with a banded matrix. Unlike in a
    product of transforms, the rounding error at a sample depends on nearby samples, not on the largest of the tile.
    """
    n_units, n_ranks, n_samples = temporal.shape
    n_scores = max(len(traces) - n_samples + 1, 0)
    if not n_units or not n_scores:
        return xp.empty((n_units, n_scores), dtype=np.float32)
    patterns = resident(xp, dense_patterns, spatial, channels, n_channels=traces.shape[1])
    bands = resident(xp, banded_matrices, temporal, block=BLOCK, step=score_step)
    rows, n_taps = traces[::score_step], -(-n_samples // score_step)
    n_made = len(rows) - n_taps + 1
    scores = xp.empty((n_units, n_made), dtype=np.float32)
    n_blocks, width = -(-n_made // BLOCK), BLOCK + n_taps - 1
    samples = xp.zeros((traces.shape[1], (n_blocks - 1) * BLOCK + width), dtype=np.float32)
    samples[:, : len(rows)] = rows.T
    stretches = resident(xp, overlapping_rows, n_rows=n_blocks, width=width, step=BLOCK)
    for first in range(0, n_units, UNITS):
        part = patterns[first : first + UNITS]
        mixed = xp.matmul(part.reshape(-1, traces.shape[1]), samples)[:, stretches]
        mixed = mixed.reshape(-1, n_ranks, n_blocks, width).transpose(0, 2, 1, 3).reshape(-1, n_blocks, n_ranks * width)
        correlated = xp.matmul(mixed, bands[first : first + UNITS])
        scores[first : first + UNITS] = correlated.reshape(len(part), -1)[:, :n_made]
    return scores if score_step == 1 else interleaved(xp, scores, n_scores)


def interleaved(xp: Any, coarse: Any, n_scores: int) -> Any:
    """Scores at every sample from those at every second one, by interpolation."""
    if has_cuda_kernels(xp):
        from xephys.kernels.lib import half_samples_cuda

        weights = resident(tables_of(xp), as_it_is, HALF_SAMPLE_WEIGHTS)
        return half_samples_cuda.interleaved(xp, coarse, weights, n_scores)
    at, between = xp.arange(coarse.shape[1]), xp.zeros(coarse.shape, dtype=np.float32)
    for k, weight in enumerate(HALF_SAMPLE_WEIGHTS):
        early, late = xp.maximum(at - k, 0), xp.minimum(at + k + 1, coarse.shape[1] - 1)
        between += weight * (coarse[:, early] + coarse[:, late])
    both = xp.empty((len(coarse), 2 * coarse.shape[1]), dtype=np.float32)
    both[:, ::2], both[:, 1::2] = coarse, between
    return both[:, :n_scores]


def overlapping_rows(*, n_rows: int, width: int, step: int) -> NDArray[np.int64]:
    """Indices of rows of samples, each of which begins ``step`` samples after the one before it.

    Examples
    --------
    >>> overlapping_rows(n_rows=2, width=3, step=2).tolist()
    [[0, 1, 2], [2, 3, 4]]
    """
    return np.arange(n_rows)[:, None] * step + np.arange(width)


def dense_patterns(
    spatial: NDArray[np.float32], channels: NDArray[np.int32], *, n_channels: int
) -> NDArray[np.float32]:
    """Spatial patterns on all channels, (unit, rank, channel).

    Examples
    --------
    >>> dense_patterns(np.float32([[[5, 7]]]), np.int32([[2, -1]]), n_channels=3).tolist()
    [[[0.0, 0.0, 5.0]]]
    """
    dense = np.zeros((*spatial.shape[:2], n_channels), np.float32)
    for unit, own in enumerate(channels):
        used = own >= 0
        dense[unit][:, own[used]] = spatial[unit][:, used]
    return dense


def banded_matrices(temporal: NDArray[np.float32], *, block: int, step: int = 1) -> NDArray[np.float32]:
    """Time courses as matrices, (unit, rank × (block + length − 1), block); every ``step``-th sample stands for all.

    Examples
    --------
    >>> banded_matrices(np.float32([[[1, 2]]]), block=2).tolist()
    [[[1.0, 0.0], [2.0, 1.0], [0.0, 2.0]]]
    """
    temporal = np.float32(step) * temporal[:, :, ::step]
    n_units, n_ranks, n_samples = temporal.shape
    bands = np.zeros((n_units, n_ranks, block + n_samples - 1, block), np.float32)
    for score in range(block):
        bands[:, :, score : score + n_samples, score] = temporal
    return bands.reshape(n_units, -1, block)
