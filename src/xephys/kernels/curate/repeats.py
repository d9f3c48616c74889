"""Remove spikes that were found twice."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


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
