"""Subtract artifacts of known shape at their triggers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.core import core_rows


def subtract_shapes(
    traces: NDArray[Any],
    *,
    before: int,
    after: int,
    start: int,
    triggers: NDArray[np.int64],
    labels: NDArray[np.int64],
    shapes: NDArray[np.float32],
    nbefore: int,
    jitter_samples: int,
    scale_amplitude: bool,
) -> NDArray[np.float32]:
    """Traces without the artifacts, whose shapes are given by their labels.

    Parameters
    ----------
    traces
        Shape (before + n + after, channel).
    before, after
        Halo: a whole shape plus the jitter on each side, so that position and size are fitted to the whole artifact.
    start
        Number of the first sample returned, on the axis of ``triggers``.
    triggers, labels
        Ascending samples, and the index of each artifact's shape.
    shapes
        Shape (label, sample, channel).
    nbefore
        Samples of a shape that precede its trigger.
    jitter_samples
        Maximum distance from the trigger at which an artifact is placed, where it correlates best; the earlier of two
        equals.
    scale_amplitude
        Whether to scale each artifact to fit best over all channels, instead of using the size of its shape.

    Returns
    -------
    float32 (n, channel)

    Examples
    --------
    >>> pulse = np.array([[0], [2], [4], [0], [0]], np.float32)
    >>> subtract_shapes(pulse, before=0, after=0, start=0, triggers=np.array([1]), labels=np.array([0]),
    ...                 shapes=np.array([[[1], [2]]], np.float32), nbefore=0, jitter_samples=0,
    ...                 scale_amplitude=True).ravel()
    array([0., 0., 0., 0., 0.], dtype=float32)
    """
    values = np.array(core_rows(traces, before, after), np.float32)
    length = shapes.shape[1]
    origin = start - before
    reach = length + jitter_samples
    begin = np.searchsorted(triggers, start - reach, side="left")
    end = np.searchsorted(triggers, start + len(values) + reach, side="right")
    for k in range(begin, end):
        shape = shapes[labels[k]].astype(np.float64)
        row = int(triggers[k]) - nbefore - origin
        shifts = range(-jitter_samples, jitter_samples + 1)
        products = [_product(traces, shape, row + shift) for shift in shifts]
        best = int(np.argmax(products))
        first = row + shifts[best] - before
        seen = shape[max(-first - before, 0) : len(traces) - before - first]
        energy = float((seen * seen).sum())
        size = products[best] / energy if scale_amplitude and energy > 0 else 1.0
        lo, hi = max(first, 0), min(first + length, len(values))
        if hi > lo:
            values[lo:hi] -= (size * shape[lo - first : hi - first]).astype(np.float32)
    return values


def _product(traces: NDArray[Any], shape: NDArray[np.float64], row: int) -> float:
    """Sum of traces times shape over their common range."""
    lo, hi = max(row, 0), min(row + len(shape), len(traces))
    if hi <= lo:
        return -np.inf
    return float((traces[lo:hi].astype(np.float64) * shape[lo - row : hi - row]).sum())
