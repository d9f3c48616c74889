"""Set samples larger than any spike to zero on all channels, together with the samples that a filter smeared."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import zeros
from xephys.kernels.lib.inner import kernel
from xephys.kernels.preprocess.blank.guard import blanked, within_guard


@kernel
def _samples_beyond(traces: NDArray[np.float32], threshold: np.float32, good: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Samples at which any good channel reaches the threshold."""
    found = zeros(traces.shape[0], np.bool_)
    for t in range(traces.shape[0]):
        for c in range(traces.shape[1]):
            if good[c] and abs(traces[t, c]) >= threshold:
                found[t] = True
                break
    return found


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
        Smallest absolute value of an artifact.
    reach_samples : int
        Samples zeroed on each side.
    good : bool (channel,)
        Channels on which artifacts are detected.

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
    found = within_guard(_samples_beyond(values, np.float32(threshold), good), reach_samples)
    return blanked(values, found, before=before, after=after)
