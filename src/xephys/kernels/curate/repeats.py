"""Remove spikes that were found twice."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.records import row_blocks, rows_within


def drop_repeats(spikes: NDArray[Any], *, dead_samples: int) -> NDArray[Any]:
    """Keep only the better match of two spikes of one unit that are closer than one neuron can fire.

    Parameters
    ----------
    spikes : (n_spikes,) records
        With ``sample_index``, ``unit_index`` and ``gain``; further fields are kept.
    dead_samples : int
        Minimum interval between two spikes of one neuron.

    Returns
    -------
    spikes : (n_kept,) records
        In order of sample, then unit.

    Examples
    --------
    >>> fields = [("sample_index", "i8"), ("unit_index", "i8"), ("gain", "f8")]
    >>> drop_repeats(np.array([(10, 0, 5.0), (12, 0, 9.0), (13, 1, 1.0)], fields), dead_samples=5).tolist()
    [(12, 0, 9.0), (13, 1, 1.0)]
    """
    spikes = spikes[np.lexsort((spikes["sample_index"], spikes["unit_index"]))]
    while True:
        unit, sample, gain = spikes["unit_index"], spikes["sample_index"], spikes["gain"]
        close = np.flatnonzero((unit[1:] == unit[:-1]) & (sample[1:] - sample[:-1] < dead_samples))
        if not close.size:
            return spikes[np.lexsort((spikes["unit_index"], spikes["sample_index"]))]
        weaker = np.where(gain[close] < gain[close + 1], close, close + 1)
        spikes = np.delete(spikes, weaker)


def close_spikes(
    samples: NDArray[np.int64], units: NDArray[np.integer[Any]], *, dead_samples: int
) -> NDArray[np.int64]:
    """The spikes that are closer than one neuron can fire to another of their unit.

    `drop_repeats` leaves all others as they are, so that it need only be given these.

    Parameters
    ----------
    samples, units : (n_spikes,) int
        In order of sample.
    dead_samples : int
        Minimum interval between two spikes of one neuron.

    Returns
    -------
    rows : (n_close,) int64
        Ascending.

    Examples
    --------
    >>> close_spikes(np.array([10, 12, 13, 40]), np.array([0, 1, 0, 1]), dead_samples=5).tolist()
    [0, 2]
    """
    found = [np.empty(0, np.int64)]
    for block in row_blocks(len(samples)):
        for step in range(1, len(samples)):
            near = rows_within(samples, block, step=step, window_samples=dead_samples - 1)
            if not near.size:
                break
            near = near[units[near] == units[near + step]]
            found += [near, near + step]
    return np.unique(np.concatenate(found))
