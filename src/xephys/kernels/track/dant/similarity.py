"""Similarities of all pairs of units: Fisher-transformed correlations, written block by block."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: Correlations are limited to the hyperbolic tangent of this, which is also the similarity of a unit with itself.
Z_MAX = 6.0


def waveform_similarity(
    out: NDArray[np.float64], waveforms: NDArray[np.floating], channels: NDArray[np.int64], *, block: int = 256
) -> None:
    """Largest similarity of the waveforms on the channels of either unit, in any template.

    Parameters
    ----------
    out : (unit, unit)
        Receives the result; may be mapped from a file.
    waveforms : (unit, channel, sample, template)
    channels : (unit, near, template)
        Channels on which each unit is compared with all others, padded with -1.
    block : int
        Number of rows that are written at once.

    Examples
    --------
    >>> shapes = np.array([[0.0, 1, 2], [0, 1, 1.9], [2, 1, 0]])[:, None, :, None]
    >>> out = np.empty((3, 3))
    >>> waveform_similarity(out, shapes, np.zeros((3, 1, 1), int))
    >>> bool(out[0, 1] > 3), bool(out[0, 2] < -5)
    (True, True)
    """
    n_units = len(waveforms)
    out[:] = -Z_MAX
    for template in range(waveforms.shape[3]):
        rows, of_unit = np.unique(np.sort(channels[..., template], axis=1), axis=0, return_inverse=True)
        order = np.argsort(of_unit.ravel(), kind="stable")
        bounds = np.searchsorted(of_unit.ravel()[order], np.arange(len(rows) + 1))
        for number, row in enumerate(rows):
            values = np.asarray(waveforms[..., template][:, row[row >= 0]], np.float64).reshape(n_units, -1)
            values = _scaled(values)
            for start in range(bounds[number], bounds[number + 1], block):
                units = order[start : min(start + block, bounds[number + 1])]
                out[units] = np.maximum(out[units], fisher(values[units] @ values.T))
    for start in range(0, n_units, block):
        stop = min(start + block, n_units)
        larger = np.maximum(out[start:stop], out[:, start:stop].T)
        out[start:stop], out[:, start:stop] = larger, larger.T
    np.fill_diagonal(out, Z_MAX)


def row_similarity(out: NDArray[np.float64], rows: NDArray[np.floating], *, block: int = 256) -> None:
    """Similarity of the rows of a table, over those columns where neither is NaN; 0 where there are none.

    Parameters
    ----------
    out : (unit, unit)
        Receives the result; may be mapped from a file.
    rows : (unit, bin)
    block : int
        Number of rows that are written at once.

    Examples
    --------
    >>> out = np.empty((2, 2))
    >>> row_similarity(out, np.array([[0.0, 1, 2, np.nan], [0, 1, 1.9, 3]]))
    >>> bool(out[0, 1] > 3), bool((out == out.T).all())
    (True, True)
    """
    values, valid = np.asarray(rows, np.float64), np.isfinite(rows)
    whole = bool(valid.all())
    filled = np.where(valid, values, 0.0)
    count = valid.sum(axis=1, keepdims=True)
    filled = np.where(valid, values - filled.sum(axis=1, keepdims=True) / np.maximum(count, 1), 0.0)
    # Correlations do not depend on the unit of measurement, so that small numbers are not mistaken for constants.
    filled /= np.maximum(np.abs(filled).max(axis=1, keepdims=True), 1e-300)
    scaled, mask, squares = _scaled(filled) if whole else filled, valid.astype(np.float64), filled**2
    for start in range(0, len(values), block):
        here = slice(start, start + block)
        if whole:
            correlation = scaled[here] @ scaled.T
        else:
            n = mask[here] @ mask.T
            sum_a, sum_b = filled[here] @ mask.T, mask[here] @ filled.T
            spread_a, spread_b = n * (squares[here] @ mask.T) - sum_a**2, n * (mask[here] @ squares.T) - sum_b**2
            length = np.sqrt(np.maximum(spread_a, 0.0) * np.maximum(spread_b, 0.0))
            product = n * (filled[here] @ filled.T) - sum_a * sum_b
            correlation = np.divide(product, length, out=np.zeros_like(product), where=length > 1e-12 * n**2)
        out[here] = fisher(correlation)
    for start in range(0, len(values), block):
        here = slice(start, start + block)
        mean = (out[here] + out[:, here].T) / 2
        out[here], out[:, here] = mean, mean.T
    np.fill_diagonal(out, Z_MAX)


def weighted_similarity(
    total: NDArray[np.float64],
    distance: NDArray[np.float64],
    matrices: Sequence[NDArray[np.floating]],
    weights: NDArray[np.float64],
    *,
    block: int = 256,
) -> None:
    """Weighted sum of similarities, and the distances that follow from it; all of them may be mapped from files.

    Parameters
    ----------
    total, distance : (unit, unit)
        Receive the results.
    matrices : sequence of (unit, unit)
    weights : (matrix,)
    block : int
        Number of rows that are written at once.

    Examples
    --------
    >>> total, distance = np.empty((2, 2)), np.empty((2, 2))
    >>> weighted_similarity(total, distance, [np.array([[6.0, 0], [0, 6]])], np.ones(1))
    >>> distance.tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    for start in range(0, len(total), block):
        here = slice(start, start + block)
        total[here] = sum(weight * matrix[here] for weight, matrix in zip(weights, matrices, strict=True))
        distance[here] = 1.0 / np.maximum(1.0 + np.tanh(total[here]), 1e-300)
    np.fill_diagonal(distance, 0.0)


def fisher(correlation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fisher's transform, of correlations limited to what 6 stands for.

    Examples
    --------
    >>> fisher(np.array([1.0, 0.0])).round(6).tolist()
    [6.0, 0.0]
    """
    largest = np.tanh(Z_MAX)
    return np.asarray(np.arctanh(np.clip(correlation, -largest, largest)))


def _scaled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows without their mean and of length 1, so that products are correlations; 0 for constant rows."""
    centered = values - values.mean(axis=1, keepdims=True)
    length = np.sqrt((centered**2).sum(axis=1, keepdims=True))
    return np.asarray(np.divide(centered, length, out=np.zeros_like(centered), where=length > 0))
