"""Median waveforms of units."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


def unit_medians(waveforms: NDArray[np.float32], units: NDArray[np.int64], *, n_units: int) -> NDArray[np.float32]:
    """Median over the waveforms of each unit, holding one unit in memory at a time.

    Parameters
    ----------
    waveforms : (waveform, sample, slot) float32
    units : (waveform,) int64
    n_units : int

    Returns
    -------
    (unit, sample, slot) float32
        0 for a unit without waveforms.

    Examples
    --------
    >>> unit_medians(np.float32([[[1]], [[5]], [[2]]]), np.array([0, 0, 0]), n_units=2).ravel().tolist()
    [2.0, 0.0]
    """
    out = np.zeros((n_units, *waveforms.shape[1:]), np.float32)
    order = np.argsort(units, kind="stable")
    bounds = np.searchsorted(units[order], np.arange(n_units + 1))
    for unit, (first, last) in enumerate(pairwise(bounds)):
        if last > first:
            out[unit] = np.median(waveforms[order[first:last]], axis=0)
    return out
