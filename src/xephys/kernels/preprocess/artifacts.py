"""Samples that no brain makes: found by their size on any channel, set to zero on all with what the filter smeared."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(nogil=True, cache=True)
def _blank(
    traces: NDArray[np.float32], threshold: np.float32, good: NDArray[np.bool_], reach: int, blank: NDArray[np.bool_]
) -> None:
    for t in range(traces.shape[0]):
        for c in range(traces.shape[1]):
            if good[c] and abs(traces[t, c]) >= threshold:
                blank[max(t - reach, 0) : t + reach + 1] = True
                break


def blank_artifacts(
    traces: NDArray[Any],
    *,
    before: int,
    after: int,
    threshold: float,
    reach_samples: int,
    good: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """Zero the samples at which any channel reaches the threshold, and those around them.

    Parameters
    ----------
    traces : (before + n + after, channel)
    before, after : int
        Halo rows, both at least ``reach_samples``.
    threshold : float
        Least absolute value of an artifact.
    reach_samples : int
        Samples zeroed on each side.
    good : bool (channel,)
        Channels that are looked at.

    Returns
    -------
    float32 (n, channel)

    Examples
    --------
    >>> traces = np.array([[0], [1], [9], [1], [2], [2], [0]], np.float32)
    >>> blank_artifacts(traces, before=1, after=1, threshold=5, reach_samples=1, good=np.array([True])).ravel()
    array([0., 0., 0., 2., 2.], dtype=float32)
    """
    if before < reach_samples or after < reach_samples:
        raise ValueError(f"halo is {before} before and {after} after; artifacts reach {reach_samples} samples")
    values = np.ascontiguousarray(traces, np.float32)
    blank = np.zeros(len(values), np.bool_)
    _blank(values, np.float32(threshold), good, reach_samples, blank)
    core = slice(before, len(values) - after)
    return np.where(blank[core, None], np.float32(0.0), values[core])
