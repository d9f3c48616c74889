"""Artifacts of known shape subtracted where they were triggered."""

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
    """Traces without the artifacts, each of the shape that its label says.

    Parameters
    ----------
    traces
        Shape (before + n + after, channel).
    before, after
        Halo: a whole shape and the jitter on each side, so that its place and size are those of all of it.
    start
        Number of the first sample returned, on the axis of ``triggers``.
    triggers, labels
        Ascending samples, and which shape each has.
    shapes
        Shape (label, sample, channel).
    nbefore
        Samples of a shape that precede its trigger.
    jitter_samples
        An artifact lies where it correlates best, within this distance of its trigger; the earlier of two equals.
    scale_amplitude
        Whether each artifact has the size that fits best, over all channels, instead of that of its shape.

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
    """Sum of traces times shape, as far as both are there."""
    lo, hi = max(row, 0), min(row + len(shape), len(traces))
    if hi <= lo:
        return -np.inf
    return float((traces[lo:hi].astype(np.float64) * shape[lo - row : hi - row]).sum())
